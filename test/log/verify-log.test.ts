import { beforeAll, describe, expect, it } from 'vitest'
import { parseCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosign } from '../../src/log/cosignature.ts'
import { formatSignatureLine, parseNote } from '../../src/log/note.ts'
import type { LogReader } from '../../src/log/tile-reader.ts'
import { type AuditOptions, verifyLog } from '../../src/log/verify-log.ts'
import { flipBit, LOG_KEY, logOfSizes, SIGNER, STRANGER, WITNESS_KEYS, WITNESSES } from './log-fixtures.ts'

const SIZE = 600
const EARLIER = [0, 1, 200, 256, 511, 600]
const POLICY = { log: LOG_KEY, witnesses: WITNESS_KEYS, quorum: 2 }
const RESOURCES = [
  'tile/entries/000',
  'tile/entries/001',
  'tile/entries/002.p/88',
  'tile/0/000',
  'tile/0/001',
  'tile/0/002.p/88',
  'tile/1/000.p/2',
]

let log: LogReader
let heads: { size: number; root: Uint8Array }[]

beforeAll(async () => {
  const { storage, writer, notes } = await logOfSizes(...EARLIER)
  heads = EARLIER.map((size) => parseCheckpoint(parseNote(notes.get(size)!).text))
  const { note } = writer.checkpoint
  const lines = WITNESSES.slice(0, 2).map((witness) =>
    formatSignatureLine(cosign(parseNote(note).text, witness, 1_800_000_000)),
  )
  await writer.publishCosigned(addCosignatures(note, lines.join(''), WITNESS_KEYS))
  log = storage
})

/** The log with other bytes, or none, in place of one resource. */
const withTile = (path: string, change: (bytes: Uint8Array) => Uint8Array | undefined): LogReader => ({
  readCheckpoint: () => log.readCheckpoint(),
  async readTile(asked) {
    const bytes = await log.readTile(asked)
    return asked === path && bytes ? change(bytes) : bytes
  },
})
const withNote = (change: (note: string) => string | undefined): LogReader => ({
  readTile: (path) => log.readTile(path),
  readCheckpoint: async () => change((await log.readCheckpoint())!),
})
async function faultOf(reader: LogReader, options?: AuditOptions, policy = POLICY) {
  const audit = await verifyLog(reader, policy, options)
  return audit.ok ? undefined : audit.fault
}

describe('the audit of a log', () => {
  it('accepts a whole log with its quorum and all heads seen before, and shows each entry once in order', async () => {
    const seen: number[] = []
    const checkEntry = (position: number, entry: Uint8Array) => {
      if (Buffer.from(entry).toString() === `entry ${position}`) seen.push(position)
      return undefined
    }
    const audit = await verifyLog(log, POLICY, { earlier: heads.toReversed(), checkEntry })
    expect(audit).toMatchObject({ ok: true, checkpoint: { size: SIZE } })
    expect(audit.ok && audit.cosigners.map(({ name }) => name)).toEqual(WITNESSES.slice(0, 2).map(({ name }) => name))
    expect(seen).toEqual(Array.from({ length: SIZE }, (_, i) => i))
  })

  it('accepts the empty log', async () => {
    const { storage } = await logOfSizes()
    expect(await verifyLog(storage, { ...POLICY, quorum: 0 })).toMatchObject({ ok: true, checkpoint: { size: 0 } })
  })

  it.each(RESOURCES)('reads %s once, and names it when it is missing, cut or too long', async (path) => {
    const reads: string[] = []
    const counting: LogReader = {
      ...withTile('', (bytes) => bytes),
      readTile: (asked) => {
        reads.push(asked)
        return log.readTile(asked)
      },
    }
    await verifyLog(counting, POLICY)
    expect(reads.filter((asked) => asked === path)).toHaveLength(1)
    expect(reads.toSorted()).toEqual(RESOURCES.toSorted())
    const malformed = expect.stringMatching(/^malformed-(tile|bundle)$/)
    expect(await faultOf(withTile(path, () => undefined))).toMatchObject({ code: 'tile-missing', resource: path })
    expect(await faultOf(withTile(path, (bytes) => bytes.subarray(1)))).toMatchObject({
      code: malformed,
      resource: path,
    })
    const longer = withTile(path, (bytes) => new Uint8Array([...bytes, 0]))
    expect(await faultOf(longer)).toMatchObject({ code: malformed, resource: path })
  })

  it('finds any flipped bit of a hash tile, and names the tile and the first entry under the hash', async () => {
    for (const path of RESOURCES.slice(3)) {
      const hashes = (await log.readTile(path))!.length / 32
      for (const hash of new Set([0, 1, hashes - 1])) {
        const fault = await faultOf(withTile(path, (bytes) => flipBit(bytes, hash * 256 + ((hash * 37) % 256))))
        const [, level, tile] = path.split('/')
        const position = level === '0' ? Number.parseInt(tile, 10) * 256 + hash : hash * 256
        expect(fault).toMatchObject({ code: 'tile-mismatch', resource: path, position })
      }
    }
  })

  it('finds a flipped bit in any entry, and names its position', async () => {
    for (const [path, bundle] of RESOURCES.slice(0, 3).map((each, i) => [each, i] as const)) {
      const bytes = (await log.readTile(path))!
      for (
        let offset = 0, i = 0;
        offset < bytes.length;
        offset += 2 + ((bytes[offset] << 8) | bytes[offset + 1]), i++
      ) {
        if (i % 17) continue
        const fault = await faultOf(withTile(path, (whole) => flipBit(whole, (offset + 3) * 8)))
        expect(fault).toMatchObject({ code: 'tile-mismatch', position: bundle * 256 + i })
      }
    }
  })

  it('finds any flipped bit of the checkpoint', async () => {
    const bits = Buffer.byteLength((await log.readCheckpoint())!) * 8
    for (let bit = 0; bit < bits; bit += 5) {
      const fault = await faultOf(withNote((note) => Buffer.from(flipBit(Buffer.from(note), bit)).toString()))
      expect(fault?.resource).toBe('checkpoint')
    }
  })

  it('wants a checkpoint, signed by the log, with a quorum', async () => {
    expect(await faultOf(withNote(() => undefined))).toMatchObject({ code: 'checkpoint-missing' })
    expect(await faultOf(log, {}, { ...POLICY, quorum: 3 })).toMatchObject({ code: 'quorum-not-met' })
    const theirs = withNote((note) => signCheckpoint(parseCheckpoint(parseNote(note).text), STRANGER))
    expect(await faultOf(theirs)).toMatchObject({ code: 'not-signed' })
  })

  it('finds a root that the entries do not hash to, though the log signed it', async () => {
    const signed = withNote(() => signCheckpoint({ size: SIZE, root: new Uint8Array(32) }, SIGNER))
    const fault = await faultOf(signed, {}, { ...POLICY, quorum: 0 })
    expect(fault).toMatchObject({ code: 'root-mismatch', resource: 'checkpoint' })
  })

  it('finds that the log does not have the past that was seen, at any size', async () => {
    for (const head of heads) {
      const other = { size: head.size, root: flipBit(head.root, 7) }
      expect(await faultOf(log, { earlier: [...heads, other] })).toMatchObject({ code: 'old-root-mismatch' })
    }
    const rolledBack = [{ size: SIZE + 1, root: heads[0].root }]
    expect(await faultOf(log, { earlier: rolledBack })).toMatchObject({ code: 'old-root-mismatch' })
  })

  it('stops at the first entry that the auditor refuses, and names it', async () => {
    const checkEntry = (position: number) => (position >= 300 ? 'not a statement' : undefined)
    expect(await faultOf(log, { checkEntry })).toEqual({
      code: 'entry-refused',
      resource: 'tile/entries/001',
      position: 300,
      reason: 'not a statement',
    })
  })

  it('does not blame the log for a wrong policy or a broken reader', async () => {
    const rejection = verifyLog(log, { ...POLICY, quorum: 9 })
    await expect(rejection).rejects.toMatchObject({ code: 'bad-witness-set' })
    const broken: LogReader = {
      ...withNote((note) => note),
      readTile: () => Promise.reject(new Error('connection reset')),
    }
    await expect(verifyLog(broken, POLICY)).rejects.toThrow('connection reset')
  })
})
