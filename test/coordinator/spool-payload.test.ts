import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PART_CHUNKS, type PayloadSpool } from '../../src/coordinator/ports.ts'
import { spoolPayload } from '../../src/coordinator/spool-payload.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { storesOver } from '../../src/store/stores-over.ts'
import { someDigest } from '../contract/coordinator-fixtures.ts'
import { parametersOf, referenceOf, someChunks } from '../contract/payload-spool.contract.ts'

const parameters = parametersOf(PART_CHUNKS + 2)
let directory: string
let spool: PayloadSpool
let planDigest: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-spool-'))
  spool = storesOver(await openDirectoryBlobStore(directory)).spool
})
beforeEach(() => {
  planDigest = someDigest()
})
afterAll(() => rmSync(directory, { recursive: true }))

const due = () => ({ planDigest, holder: 'zurich', parameters })

/** The chunks, and then an error when there is one. */
async function* stream(chunks: readonly Uint8Array[], fault?: Error) {
  yield* chunks
  if (fault) throw fault
}

describe('a payload that is spooled', () => {
  it('comes again, whole, and nothing is written: the same reference', async () => {
    const chunks = someChunks(parameters)
    expect(await spoolPayload(spool, due(), stream(chunks))).toEqual(referenceOf(chunks))
    const readOnly: PayloadSpool = { ...spool, open: () => Promise.reject(new Error('written again')) }
    expect(await spoolPayload(readOnly, due(), stream(chunks))).toEqual(referenceOf(chunks))
  })

  it('goes on after a line that was cut, from what was stored', async () => {
    const chunks = someChunks(parameters)
    const cut = new Error('cut')
    await expect(spoolPayload(spool, due(), stream(chunks.slice(0, PART_CHUNKS + 1), cut))).rejects.toBe(cut)
    let appended = 0
    const counting: PayloadSpool = {
      ...spool,
      open: async (...which) => {
        const writer = await spool.open(...which)
        return {
          resumed: writer.resumed,
          durable: writer.durable,
          append: (chunk) => writer.append(chunk).then(() => void appended++),
          commit: () => writer.commit(),
          close: () => writer.close(),
        }
      },
    }
    expect(await spoolPayload(counting, due(), stream(chunks))).toEqual(referenceOf(chunks))
    expect(appended).toBe(2)
  })

  it('is not gone on with by other bytes, nor replaced by them', async () => {
    const [chunks, other] = [someChunks(parameters), someChunks(parameters)]
    const cut = new Error('cut')
    await expect(spoolPayload(spool, due(), stream(chunks.slice(0, PART_CHUNKS), cut))).rejects.toBe(cut)
    const stored = { name: 'CoordinatorError', code: 'payload-stored' }
    await expect(spoolPayload(spool, due(), stream(other))).rejects.toMatchObject(stored)
    await spoolPayload(spool, due(), stream(chunks))
    await expect(spoolPayload(spool, due(), stream(other))).rejects.toMatchObject(stored)
    await expect(spoolPayload(spool, due(), stream(chunks.slice(0, -1)))).rejects.toMatchObject(stored)
    expect(await spool.stat(planDigest, 'zurich')).toEqual(referenceOf(chunks))
  })

  it('does not count when it is refused at its end', async () => {
    const chunks = someChunks(parameters)
    const refuse = () => {
      throw new Error('the round is over')
    }
    await expect(spoolPayload(spool, due(), stream(chunks), refuse)).rejects.toThrow('the round is over')
    expect(await spool.stat(planDigest, 'zurich')).toBeUndefined()
    await spoolPayload(spool, due(), stream(chunks))
    await expect(spoolPayload(spool, due(), stream(chunks), refuse)).rejects.toThrow('the round is over')
  })
})
