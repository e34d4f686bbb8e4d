import { beforeAll, describe, expect, it } from 'vitest'
import { openCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosignedAt, openCosignedCheckpoint } from '../../src/log/cosignature.ts'
import { createLog } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { proveConsistency } from '../../src/log/merkle-proof.ts'
import { formatSignatureLine, parseNote } from '../../src/log/note.ts'
import { hashReaderOf } from '../../src/log/tile-reader.ts'
import { verifyConsistency } from '../../src/log/verify-proof.ts'
import {
  addCheckpoint,
  NEW_WITNESS,
  WITNESS_STATUS,
  type WitnessConfig,
  type WitnessState,
} from '../../src/log/witness.ts'
import { decodeWitnessState, encodeWitnessState } from '../../src/log/witness-state.ts'
import {
  type AddCheckpointRequest,
  formatAddCheckpoint,
  formatCosignatures,
  formatKnownSize,
  parseAddCheckpoint,
  parseKnownSize,
} from '../../src/log/witness-wire.ts'
import {
  codeOf,
  entriesUpTo,
  flipBit,
  LOG_KEY,
  logOfSizes,
  SIGNER,
  STRANGER,
  WITNESS_KEYS,
  WITNESSES,
} from './log-fixtures.ts'

const SIZES = [1, 5, 8, 20, 300, 301]
const NOW_S = 1_800_000_000
const CONFIG: WitnessConfig = { logs: [LOG_KEY], signer: WITNESSES[0] }

/** An honest log, and another history under the same key that parts from it after four entries. */
let honest: Awaited<ReturnType<typeof logOfSizes>>
let forked: { storage: MemoryLogStorage; notes: Map<number, string> }

beforeAll(async () => {
  honest = await logOfSizes(...SIZES)
  const storage = new MemoryLogStorage()
  const writer = await createLog(storage, SIGNER)
  const notes = new Map<number, string>()
  for (const size of SIZES) {
    const start = writer.checkpoint.size
    await writer.append(
      entriesUpTo(size, start).map((entry, i) => (start + i < 4 ? entry : Buffer.from(`x ${start + i}`))),
    )
    notes.set(size, writer.checkpoint.note)
  }
  forked = { storage, notes }
})

async function request(log: typeof forked, oldSize: number, newSize: number): Promise<AddCheckpointRequest> {
  const proof = await proveConsistency(hashReaderOf(log.storage, newSize), oldSize, newSize)
  return { oldSize, proof, note: log.notes.get(newSize)! }
}

/** One request to a witness whose memory goes through its stored form, as over a restart. */
function ask(state: WitnessState, submitted: AddCheckpointRequest, nowS = NOW_S, config = CONFIG) {
  return addCheckpoint(decodeWitnessState(encodeWitnessState(state)), submitted, config, nowS)
}

async function witnessAt(size: number): Promise<WitnessState> {
  return ask(NEW_WITNESS, await request(honest, 0, size)).state
}

describe('a witness', () => {
  it('cosigns each checkpoint that continues the last, and its cosignatures make a quorum', async () => {
    let state = NEW_WITNESS
    let oldSize = 0
    for (const size of SIZES) {
      const step = ask(state, await request(honest, oldSize, size), NOW_S + size)
      if (step.answer.kind !== 'cosigned') throw new Error(step.answer.reason)
      expect(step.answer.checkpoint.size).toBe(size)
      const note = honest.notes.get(size)!
      expect(cosignedAt(parseNote(note).text, WITNESS_KEYS[0], step.answer.cosignature)).toBe(NOW_S + size)
      const cosigned = addCosignatures(note, formatCosignatures([step.answer.cosignature]), WITNESS_KEYS)
      expect(openCosignedCheckpoint(parseNote(cosigned), { log: LOG_KEY, witnesses: WITNESS_KEYS, quorum: 1 }).ok).toBe(
        true,
      )
      ;[state, oldSize] = [step.state, size]
    }
    expect(parseCheckpoint(parseNote(state.get(SIGNER.origin)!.latest).text).size).toBe(301)
  })

  it('cosigns the same checkpoint again at another time, and remembers nothing new', async () => {
    const state = await witnessAt(20)
    const again = ask(state, await request(honest, 20, 20), NOW_S + 9)
    expect(again.answer.kind).toBe('cosigned')
    expect(encodeWitnessState(again.state)).toBe(encodeWitnessState(state))
  })

  it('tells the size it knows to who starts from another, ahead, behind or afresh', async () => {
    const state = await witnessAt(20)
    for (const [from, to] of [
      [0, 300],
      [8, 300],
      [8, 20],
      [300, 301],
      [5, 8],
      [0, 8],
    ]) {
      const step = ask(state, await request(honest, from, to))
      expect(step.answer).toMatchObject({ kind: 'refused', code: 'size-conflict', knownSize: 20 })
      expect(step.state.get(SIGNER.origin)).toEqual(state.get(SIGNER.origin))
    }
    expect(WITNESS_STATUS['size-conflict']).toBe(409)
    expect(parseKnownSize(formatKnownSize(20))).toBe(20)
  })

  it('refuses a log it does not know, a checkpoint of another key, and an old size above the new one', async () => {
    const good = await request(honest, 0, 8)
    const otherOrigin = {
      ...good,
      note: signCheckpoint({ size: 1, root: new Uint8Array(32) }, { ...SIGNER, origin: 'other' }),
    }
    const otherKey = { ...good, note: signCheckpoint({ size: 8, root: new Uint8Array(32) }, STRANGER) }
    const code = (submitted: AddCheckpointRequest) => {
      const { answer, state } = ask(NEW_WITNESS, submitted)
      expect(state.size).toBe(0)
      return answer.kind === 'refused' && [answer.code, WITNESS_STATUS[answer.code]]
    }
    expect(code(otherOrigin)).toEqual(['unknown-origin', 404])
    expect(code(otherKey)).toEqual(['not-signed-by-log', 403])
    expect(code({ ...good, oldSize: 9 })).toEqual(['old-size-too-large', 400])
    expect(code({ ...good, note: 'nonsense' })).toEqual(['malformed', 400])
    expect(code({ ...good, proof: [new Uint8Array(32)] })).toEqual(['bad-proof', 422])
  })

  it('is not silenced by a stranger who sends a good checkpoint with a bad proof', async () => {
    const state = await witnessAt(5)
    const good = await request(honest, 5, 300)
    for (const proof of [
      [],
      good.proof.slice(1),
      good.proof.map((hash) => flipBit(hash, 0)),
      [...good.proof, good.proof[0]],
    ]) {
      const step = ask(state, { ...good, proof })
      expect(step.answer).toMatchObject({ kind: 'refused', code: 'bad-proof' })
      expect(ask(step.state, good).answer.kind).toBe('cosigned')
    }
  })
})

describe('a witness that is shown a fork', () => {
  it('of two roots at one size, keeps both checkpoints and cosigns nothing of the log ever after', async () => {
    for (const size of [5, 8, 20, 300]) {
      const state = await witnessAt(size)
      const step = ask(state, await request(forked, 0, size))
      expect(step.answer).toMatchObject({ kind: 'refused', code: 'forked' })
      const { fork } = step.state.get(SIGNER.origin)!
      expect(fork).toEqual({ known: honest.notes.get(size), contradicting: forked.notes.get(size), proof: [] })
      for (const next of [
        await request(honest, size, 301),
        await request(honest, size, size),
        await request(forked, size, 301),
      ]) {
        const after = ask(step.state, next)
        expect(after.answer).toMatchObject({ kind: 'refused', code: 'forked' })
        expect(after.state.get(SIGNER.origin)?.fork).toEqual(fork)
      }
    }
  })

  it('by a proof that fits the other tree, has evidence that a third party can check', async () => {
    for (const [from, to] of [
      [5, 8],
      [5, 300],
      [20, 301],
      [300, 301],
    ]) {
      const step = ask(await witnessAt(from), await request(forked, from, to))
      expect(step.answer).toMatchObject({ kind: 'refused', code: 'forked' })
      const { known, contradicting, proof } = step.state.get(SIGNER.origin)!.fork!
      const [older, newer] = [known, contradicting].map((note) => openCheckpoint(parseNote(note), LOG_KEY))
      if (!older.ok || !newer.ok) throw new Error('the evidence is not signed')
      const hashes = proof.map((hash) => new Uint8Array(Buffer.from(hash, 'base64')))
      expect(verifyConsistency(older.value, newer.value, hashes)).toMatchObject({
        ok: false,
        code: 'old-root-mismatch',
      })
    }
  })

  it('never cosigns it, also where the proof itself shows nothing', async () => {
    // For a complete old tree the proof leaves its root out, so a fork looks like noise; it is refused every time.
    const step = ask(await witnessAt(8), await request(forked, 8, 300))
    expect(step.answer).toMatchObject({ kind: 'refused', code: 'bad-proof' })
    expect(ask(step.state, await request(honest, 8, 300)).answer.kind).toBe('cosigned')
  })

  it('is not deceived by a root that the log did not sign', async () => {
    const state = await witnessAt(8)
    const note = signCheckpoint({ size: 8, root: new Uint8Array(32) }, STRANGER)
    const step = ask(state, { oldSize: 8, proof: [], note })
    expect(step.answer).toMatchObject({ kind: 'refused', code: 'not-signed-by-log' })
    expect(step.state.get(SIGNER.origin)?.fork).toBeUndefined()
  })

  it('goes on with other logs', async () => {
    const other = { origin: 'other.example/log', key: STRANGER.key }
    const config = {
      ...CONFIG,
      logs: [LOG_KEY, { role: 'log' as const, name: other.origin, publicKey: other.key.publicKey }],
    }
    const { state } = ask(await witnessAt(5), await request(forked, 0, 5))
    const note = signCheckpoint({ size: 3, root: new Uint8Array(32) }, other)
    expect(ask(state, { oldSize: 0, proof: [], note }, NOW_S, config).answer.kind).toBe('cosigned')
  })
})

describe("a witness's memory", () => {
  it('does not grow with what others write on a note', async () => {
    const good = await request(honest, 0, 8)
    const attached = `${good.note}${formatSignatureLine({ keyName: 'spam', keyId: 1, signature: new Uint8Array(60_000) })}`
    const { state } = ask(NEW_WITNESS, { ...good, note: attached })
    expect(state.get(SIGNER.origin)?.latest).toBe(good.note)
  })

  it('is an error when damaged, and never empty', async () => {
    const text = encodeWitnessState(ask(await witnessAt(5), await request(forked, 5, 8)).state)
    expect(encodeWitnessState(decodeWitnessState(text))).toBe(text)
    const note = JSON.stringify(honest.notes.get(5)!)
    const damaged = [
      '',
      '{}',
      text.slice(0, -1),
      text.replace('/v1', '/v2'),
      text.replace(/"latest":"[^"]*",/, ''),
      text.replace(/"known":"[^"]*",/, ''),
      text.replace(/"proof":\[[^\]]*\]/, '"proof":[1]'),
      text.replace(/"fork":\{.*\}\}\}/, '"fork":true}}}'),
      `{"version":"sluice-witness/v1","logs":{"another.example":{"latest":${note}}}}`,
      '{"version":"sluice-witness/v1","logs":[]}',
    ]
    for (const each of damaged) expect(codeOf(() => decodeWitnessState(each))).toBe('malformed-witness-state')
  })
})

describe('the witness protocol on the wire', () => {
  it('is the text of the specification, and comes back', async () => {
    const submitted = await request(honest, 5, 8)
    const body = formatAddCheckpoint(submitted)
    const lines = body.split('\n')
    expect(lines[0]).toBe('old 5')
    expect(lines[submitted.proof.length + 1]).toBe('')
    expect(lines[submitted.proof.length + 2]).toBe(SIGNER.origin)
    const parsed = parseAddCheckpoint(body)
    expect(parsed.note).toBe(submitted.note)
    expect(parsed.oldSize).toBe(5)
    expect(Buffer.concat(parsed.proof).equals(Buffer.concat(submitted.proof))).toBe(true)
    expect(parseAddCheckpoint(formatAddCheckpoint({ ...submitted, proof: [] })).proof).toEqual([])
  })

  it('refuses requests of another form', async () => {
    const submitted = await request(honest, 5, 8)
    const body = formatAddCheckpoint(submitted)
    const hash = Buffer.alloc(32).toString('base64')
    const bad = [
      '',
      '\n\n',
      body.replace('old 5', 'old 05'),
      body.replace('old 5', 'old -5'),
      body.replace('old 5', 'old  5'),
      body.replace('old 5', 'new 5'),
      body.replace('old 5\n', 'old 5\nAAAA\n'),
      body.replace('old 5\n', `old 5\n${hash.slice(0, -1)}\n`),
      formatAddCheckpoint({ ...submitted, proof: Array.from({ length: 64 }, () => new Uint8Array(32)) }),
      'x'.repeat(400_000),
    ]
    for (const each of bad) expect(codeOf(() => parseAddCheckpoint(each))).toBe('malformed-request')
    expect(codeOf(() => parseAddCheckpoint(body.slice(0, -1)))).toBe('malformed-note')
    for (const each of ['', '5', '05\n', '5\n\n', 'five\n'])
      expect(codeOf(() => parseKnownSize(each))).toBe('malformed-response')
  })
})
