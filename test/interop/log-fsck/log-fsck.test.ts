import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyLog } from '../../../src/cli/log-directory.ts'
import type { CoordinatorStore } from '../../../src/coordinator/ports.ts'
import { addCosignatures, cosign } from '../../../src/log/cosignature.ts'
import type { LogSource } from '../../../src/log/log-source.ts'
import { createLog, type LogWriter } from '../../../src/log/log-writer.ts'
import { proveConsistency, proveInclusion } from '../../../src/log/merkle-proof.ts'
import { formatSignatureLine, parseNote } from '../../../src/log/note.ts'
import { formatNoteKey } from '../../../src/log/note-key.ts'
import { hashReaderOf } from '../../../src/log/tile-reader.ts'
import { openCoordinatorStore } from '../../../src/store/coordinator-store.ts'
import { startLogServer } from '../../../src/wire/log-server.ts'
import {
  entriesUpTo,
  entryAt,
  flipBit,
  LOG_KEY,
  logOfSizes,
  SIGNER,
  WITNESS_KEYS,
  WITNESSES,
} from '../../log/log-fixtures.ts'

/*
 * Our log judged by programs that are not ours: Tessera's fsck walks it over HTTP, from the coordinator's own server and
 * store, Go's sumdb packages open its notes and check its proofs. Their versions are pinned in test/interop/go/go.mod; building them needs Go 1.24 and a module proxy.
 * GOPATH may be set to a place of choice.
 */

const run = promisify(execFile)
const GO_MODULE = resolve(import.meta.dirname, '../go')
const BUILD_TIMEOUT_MS = 600_000
const FSCK_TIMEOUT_MS = 50_000

const enabled = process.env.SLUICE_INTEROP === '1'
const why = enabled ? '' : ' (skipped: needs Go and a module proxy; set SLUICE_INTEROP=1)'
let bin: string
let store: CoordinatorStore
let writer: LogWriter

describe.skipIf(!enabled)(`the log, judged from outside${why}`, () => {
  beforeAll(async () => {
    bin = mkdtempSync(join(tmpdir(), 'sluice-interop-'))
    const gopath = process.env.GOPATH ?? join(tmpdir(), 'sluice-interop-gopath')
    const env = { ...process.env, GOPATH: gopath, GOFLAGS: '-modcacherw -buildvcs=false' }
    const packages = ['.', 'github.com/transparency-dev/tessera/cmd/fsck']
    await run('go', ['build', '-o', `${bin}/`, ...packages], { cwd: GO_MODULE, env })
    writeFileSync(join(bin, 'log.vkey'), formatNoteKey(LOG_KEY))
    store = await openCoordinatorStore({ directory: join(bin, 'state') })
    writer = await createLog(store.log, SIGNER)
  }, BUILD_TIMEOUT_MS)

  afterAll(async () => {
    await store.close()
    rmSync(bin, { recursive: true, force: true })
  })

  /** Lets the one log of the store grow to this size, as a journal would: never back. */
  async function growTo(size: number): Promise<void> {
    while (writer.checkpoint.size < size) {
      const start = writer.checkpoint.size
      await writer.append(entriesUpTo(Math.min(size, start + 4096), start))
    }
    expect(writer.checkpoint.size).toBe(size)
  }

  const source = (): LogSource => ({
    readCheckpoint: () => store.log.readCheckpoint(),
    readTile: (path) => store.log.readTile(path),
    readPayload: (payloadSha256) => store.findPayload(payloadSha256),
  })

  /**
   * What fsck prints; it exits with 0 whatever it found. Two workers, because one that finds a wrong tile ends, and the
   * rest would wait for it for ever.
   */
  async function fsck(served: LogSource): Promise<string> {
    const server = await startLogServer('127.0.0.1:0', served)
    try {
      return await fsckAt(`http://127.0.0.1:${server.port}/log/`)
    } finally {
      await server.stop()
    }
  }

  async function fsckAt(url: string): Promise<string> {
    const args = ['-ui=false', '-N=2', `-storage_url=${url}`, `-public_key=${join(bin, 'log.vkey')}`]
    const { stderr } = await run(join(bin, 'fsck'), args, { timeout: FSCK_TIMEOUT_MS })
    return stderr
  }

  it.each([1, 255, 256, 257, 65_536, 65_537])('fsck accepts it at size %i', async (size) => {
    await growTo(size)
    const verdict = await fsck(source())
    console.info(verdict.trim())
    expect(verdict).toContain(`Successfully fsck'd log with size ${size} `)
    expect(verdict).not.toContain('fsck failed')
  })

  it('fsck accepts a copy of it in a directory, and no copy with a flipped bit', async () => {
    await growTo(65_537)
    const copy = join(bin, 'copy')
    await copyLog(source(), copy)
    const verdict = await fsckAt(`file://${copy}/`)
    console.info(verdict.trim())
    expect(verdict).toContain("Successfully fsck'd log with size 65537 ")
    const tile = join(copy, 'tile/entries/123')
    writeFileSync(tile, flipBit(readFileSync(tile), 8000))
    expect(await fsckAt(`file://${copy}/`)).toContain('fsck failed')
  })

  it.each([
    'tile/entries/001',
    'tile/entries/255',
    'tile/entries/256.p/1',
    'tile/0/000',
    'tile/0/256.p/1',
    'tile/1/000',
    'tile/2/000.p/1',
    'checkpoint',
  ])('fsck rejects one flipped bit in %s at size 65,537', async (path) => {
    await growTo(65_537)
    // Five bytes before the end: inside the last entry, the last hash, the signature.
    const damage = (bytes: Uint8Array) => flipBit(bytes, (bytes.length - 5) * 8)
    const flipped: LogSource = {
      ...source(),
      async readCheckpoint() {
        const note = (await store.log.readCheckpoint())!
        return path === 'checkpoint' ? Buffer.from(damage(Buffer.from(note))).toString() : note
      },
      async readTile(asked) {
        const bytes = await store.log.readTile(asked)
        return asked === path && bytes ? damage(bytes) : bytes
      },
    }
    const verdict = await fsck(flipped)
    console.info(
      verdict
        .split('\n')
        .find((line) => line.includes('fsck failed'))
        ?.slice(0, 160),
    )
    expect(verdict).toContain('fsck failed')
    expect(verdict).not.toContain('Successfully')
  })

  it.each([
    [1, 2, 1],
    [255, 257, 256],
    [256, 65_537, 300],
    [300, 65_537, 65_536],
  ])(
    "Go's sumdb opens its checkpoints at sizes %i and %i, one cosigned, and its proofs",
    async (oldSize, newSize, index) => {
      const verdict = await judge(await caseOf(oldSize, newSize, index))
      console.info(verdict.trim())
      expect(verdict).toContain(`at sizes ${oldSize} and ${newSize}, cosigned by ${WITNESSES[1].name} at 1800000000`)
    },
  )

  it("Go's sumdb refuses them with another entry, proof, checkpoint or cosignature", async () => {
    const good = await caseOf(255, 257, 256)
    const changed = [
      { ...good, Entry: Buffer.from('another').toString('base64') },
      { ...good, Index: 255 },
      { ...good, Consistency: good.Consistency.slice(1) },
      { ...good, Older: good.Older.replace('255', '254') },
      { ...good, Newer: good.Newer.replace(/.(?=.{20}\n$)/, (letter) => (letter === 'A' ? 'B' : 'A')) },
    ]
    expect(new Set(changed.map((each) => JSON.stringify(each))).has(JSON.stringify(good))).toBe(false)
    for (const each of changed) await expect(judge(each)).rejects.toThrow(/Command failed/)
  })

  async function judge(input: Awaited<ReturnType<typeof caseOf>>): Promise<string> {
    const running = run(join(bin, 'interop'), [])
    running.child.stdin?.end(JSON.stringify(input))
    return (await running).stdout
  }
})

async function caseOf(oldSize: number, newSize: number, index: number) {
  const { storage, notes } = await logOfSizes(oldSize, newSize)
  const reader = hashReaderOf(storage, newSize)
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  const newer = notes.get(newSize)!
  const line = formatSignatureLine(cosign(parseNote(newer).text, WITNESSES[1], 1_800_000_000))
  return {
    LogKey: formatNoteKey(LOG_KEY),
    WitnessKey: formatNoteKey(WITNESS_KEYS[1]),
    Older: notes.get(oldSize)!,
    Newer: addCosignatures(newer, line, WITNESS_KEYS),
    Index: index,
    Entry: base64(entryAt(index)),
    Inclusion: (await proveInclusion(reader, index, newSize)).map(base64),
    Consistency: (await proveConsistency(reader, oldSize, newSize)).map(base64),
  }
}
