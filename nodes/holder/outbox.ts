import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { readFile, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Digest, digestOf, isDigest } from '../../src/crypto/digest.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../src/crypto/envelope.ts'
import type { PayloadParameters } from '../../src/crypto/payload-parameters.ts'
import { digestField } from '../../src/protocol/statement.ts'
import { HolderError } from './holder-error.ts'
import { OutgoingPayload } from './outgoing-payload.ts'

/** Rounds whose ciphertexts are kept, and their bytes; the oldest go first. Those that are verified or dead go at once. */
const ROUNDS_KEPT = 16
const BYTES_KEPT = 8 * 2 ** 30
/** What others on the disk are left. */
const BYTES_LEFT_FREE = 64 * 2 ** 20

export interface OutboxBounds {
  readonly rounds: number
  readonly bytes: number
}

/** What belongs to a ciphertext that has left, or may yet. All of it is the coordinator's to see. */
export interface OutboxRecord {
  readonly contribution: Envelope
  /** The job's statement: what the sum is verified with. */
  readonly job: Envelope
  /** The manifest for which this holder has hashed its ciphertext. */
  readonly manifest?: Envelope
}

/** A contribution of this holder that is whole. */
export interface KeptContribution extends OutboxRecord {
  readonly payload: OutgoingPayload
}

/**
 * What this holder sends and has sent, in its own state directory (docs/adr/0014): the ciphertext of a round while it is
 * made and uploaded, then its signed contribution. So a holder that was killed sends the same bytes again, hashes them, and
 * verifies their sum. No key, share or value is in it.
 *
 * - *Durability*: what was kept survives the death of the process at any moment. A ciphertext without its record is of a key
 *   that died with its process, and is removed at the next start.
 * - *Damage*: a file that is not what was written is noticed by digests, and as good as none.
 * - *Bounds*: {@link ROUNDS_KEPT} rounds and {@link BYTES_KEPT} bytes, beyond which the oldest go that nobody holds.
 * - *Concurrency*: one process at a time, which the journal beside it sees to.
 *
 * Files: `<plan digest>.ciphertext`, the packed chunks one after another; `<plan digest>.json`, the record under its SHA-256.
 */
export class Outbox {
  readonly #directory: string
  /** Bytes of the ciphertexts that are here, oldest first. */
  readonly #rounds: Map<Digest, number>
  /** Those that were looked up or made in this life of the process. */
  readonly #kept = new Map<Digest, KeptContribution>()
  /** Those that are being made or sent, and how often they are held. */
  readonly #held = new Map<Digest, number>()
  /** Of those that have no record yet: their bytes are not all on the disk. */
  readonly #unfinished = new Map<Digest, OutgoingPayload>()
  readonly #bounds: OutboxBounds

  /** @throws HolderError `outbox-unwritable` */
  constructor(directory: string, bounds: OutboxBounds = { rounds: ROUNDS_KEPT, bytes: BYTES_KEPT }) {
    this.#directory = directory
    this.#bounds = bounds
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      this.#rounds = sweep(directory)
    } catch (cause) {
      throw new HolderError('outbox-unwritable', `${directory} cannot be used: check who owns it.`, { cause })
    }
  }

  /** Until the hold is disposed of, what is or will be here of a plan makes no room for others: it is being made, or sent. */
  hold(planDigest: Digest): Disposable {
    const count = (change: number) => {
      const held = (this.#held.get(planDigest) ?? 0) + change
      if (held > 0) this.#held.set(planDigest, held)
      else this.#held.delete(planDigest)
    }
    count(1)
    return { [Symbol.dispose]: () => count(-1) }
  }

  /**
   * A place for the ciphertext of a plan; the oldest rounds make room for it that nobody holds.
   * @throws HolderError `outbox-unwritable` when the disk has no room, or what is held leaves none
   */
  async begin(planDigest: Digest, parameters: PayloadParameters): Promise<OutgoingPayload> {
    await this.forget(planDigest)
    const { ciphertextBytes } = parameters
    const heldBytes = sum([...this.#rounds].flatMap(([each, bytes]) => (this.#held.has(each) ? [bytes] : [])))
    if (heldBytes > 0 && heldBytes + ciphertextBytes > this.#bounds.bytes) {
      throw new HolderError(
        'outbox-unwritable',
        `Ciphertexts of ${heldBytes} bytes are being sent, which leaves no room in ${this.#directory} for one of ${ciphertextBytes}.`,
      )
    }
    const payload = new OutgoingPayload(this.#ciphertext(planDigest), parameters)
    this.#rounds.set(planDigest, ciphertextBytes)
    this.#unfinished.set(planDigest, payload)
    await this.#makeRoom(planDigest)
    const free = await statfs(this.#directory).catch(() => ({ bavail: 0, bsize: 0 }))
    if (free.bavail * free.bsize < this.#unwrittenUpTo(planDigest) + BYTES_LEFT_FREE) {
      await this.forget(planDigest)
      throw new HolderError(
        'outbox-unwritable',
        `The disk of ${this.#directory} has no room for a ciphertext of ${ciphertextBytes} bytes, or is gone.`,
      )
    }
    return payload
  }

  async #makeRoom(planDigest: Digest): Promise<void> {
    let rounds = this.#rounds.size
    let bytes = sum([...this.#rounds.values()])
    for (const [oldest, each] of [...this.#rounds]) {
      if (rounds <= this.#bounds.rounds && bytes <= this.#bounds.bytes) return
      if (oldest === planDigest || this.#held.has(oldest)) continue
      rounds--
      bytes -= each
      await this.forget(oldest)
    }
  }

  /** Bytes that a plan's ciphertext, and those that were begun before it, have yet to write: the disk counts them as free. */
  #unwrittenUpTo(planDigest: Digest): number {
    const begun = [...this.#unfinished.keys()]
    const before = begun.slice(0, begun.indexOf(planDigest) + 1)
    return sum(before.map((each) => this.#unfinished.get(each)!.unwrittenBytes))
  }

  /** Keeps the record of a ciphertext that is whole, or writes it anew. */
  async keep(planDigest: Digest, kept: KeptContribution): Promise<void> {
    // What was forgotten meanwhile, for want of room or because its round is dead, does not come back without its bytes.
    if (!this.#rounds.has(planDigest)) return
    await this.#write(planDigest, kept)
    this.#unfinished.delete(planDigest)
    this.#kept.set(planDigest, kept)
  }

  async #write(planDigest: Digest, { contribution, job, manifest, payload }: KeptContribution): Promise<void> {
    const body: z.input<typeof recordSchema> = {
      contribution: encodeEnvelope(contribution),
      job: encodeEnvelope(job),
      ...(manifest ? { manifest: encodeEnvelope(manifest) } : {}),
      chunks: [...payload.digests],
    }
    const text = JSON.stringify(body)
    const file = this.#record(planDigest)
    try {
      await writeFile(`${file}.new`, `${digestOf(Buffer.from(text))}\n${text}`, { mode: 0o600 })
      await rename(`${file}.new`, file)
    } catch (cause) {
      throw new HolderError('outbox-unwritable', `${file} cannot be written: is the disk full?`, { cause })
    }
  }

  /** What this holder has contributed to a plan, whole and as it left; undefined when that is not there (any more). */
  async find(planDigest: Digest, parameters: PayloadParameters): Promise<KeptContribution | undefined> {
    const known = this.#kept.get(planDigest)
    if (known || !this.#rounds.has(planDigest)) return known
    const record = await readRecord(this.#record(planDigest))
    const payload = record && new OutgoingPayload(this.#ciphertext(planDigest), parameters, record.chunks)
    if (!payload || !(await payload.isSound())) {
      await this.forget(planDigest)
      return undefined
    }
    const { contribution, job, manifest } = record
    const kept = { contribution, job, payload, ...(manifest ? { manifest } : {}) }
    this.#kept.set(planDigest, kept)
    return kept
  }

  /** Removes what is here of a plan. Idempotent; never rejects: what cannot be removed now is at the next start. */
  async forget(planDigest: Digest): Promise<void> {
    this.#rounds.delete(planDigest)
    this.#kept.delete(planDigest)
    this.#unfinished.delete(planDigest)
    // The record first: a ciphertext without one counts for nothing.
    for (const file of [this.#record(planDigest), this.#ciphertext(planDigest)]) {
      await rm(file, { force: true }).catch(() => undefined)
    }
  }

  #ciphertext(planDigest: Digest): string {
    return join(this.#directory, `${planDigest}.ciphertext`)
  }

  #record(planDigest: Digest): string {
    return join(this.#directory, `${planDigest}.json`)
  }
}

function sum(bytes: readonly number[]): number {
  return bytes.reduce((total, each) => total + each, 0)
}

/** Removes what has no record, or no ciphertext. @returns the rounds that are left, oldest first, with the bytes of each */
function sweep(directory: string): Map<Digest, number> {
  const names = new Set(readdirSync(directory))
  const whole = [...names].flatMap((name) => {
    const planDigest = name.replace(/\.json$/, '')
    return isDigest(planDigest) && names.has(`${planDigest}.ciphertext`) ? [planDigest] : []
  })
  const belongs = new Set(whole.flatMap((planDigest) => [`${planDigest}.json`, `${planDigest}.ciphertext`]))
  for (const name of names) if (!belongs.has(name)) rmSync(join(directory, name), { force: true, recursive: true })
  const rounds = whole.map((planDigest) => {
    const { mtimeMs, size } = statSync(join(directory, `${planDigest}.ciphertext`))
    return { planDigest, mtimeMs, size }
  })
  rounds.sort((a, b) => a.mtimeMs - b.mtimeMs)
  return new Map(rounds.map(({ planDigest, size }) => [planDigest, size]))
}

const recordSchema = z.strictObject({
  contribution: z.string(),
  job: z.string(),
  manifest: z.string().optional(),
  chunks: z.array(digestField).min(1),
})

/** Undefined when the file is not there, or not as it was written. */
async function readRecord(file: string): Promise<(OutboxRecord & { readonly chunks: readonly Digest[] }) | undefined> {
  try {
    const [digest, text] = (await readFile(file, 'utf8')).split('\n', 2)
    if (digestOf(Buffer.from(text)) !== digest) return undefined
    const { contribution, job, manifest, chunks } = recordSchema.parse(JSON.parse(text))
    return {
      contribution: decodeEnvelope(contribution),
      job: decodeEnvelope(job),
      ...(manifest === undefined ? {} : { manifest: decodeEnvelope(manifest) }),
      chunks,
    }
  } catch {
    return undefined
  }
}
