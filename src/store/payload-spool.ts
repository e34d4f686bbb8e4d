import { type BlobStore, PART_CHUNKS, type PayloadSpool } from '../coordinator/ports.ts'
import { type Digest, isDigest } from '../crypto/digest.ts'
import type { PayloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import { identityField } from '../protocol/statement.ts'
import { type PartRange, partHeadBytes, readPartBytes, readSeal, type SealedPart } from './payload-part.ts'
import { type PayloadPlace, PayloadWriter, partKey } from './payload-writer.ts'
import { StoreError } from './store-error.ts'

/** Seals that a reader keeps, so that it does not read them for every chunk: of as many contributors. */
const SEALS_KEPT = 2048

/**
 * Payloads as blobs `<prefix>/<plan digest>/<holder>/<part>`: `00000-<name>`, `00001-<name>`, … of PART_CHUNKS chunks each, and `whole`,
 * the last part with the seal. A part's name is the payload digest over all chunks up to its end, so that writers of other bytes never
 * write to each other's parts; the seal names its parts.
 *
 * @param prefix a key's first segment: `spool`, `openings`
 * @throws StoreError those of the blobs; `invalid-value` for what is no plan digest or no holder's identity; others as the port says
 */
export function payloadSpoolOver(blobs: BlobStore, prefix: string): PayloadSpool {
  const spool = new BlobSpool(blobs, prefix)
  return {
    open: (...which) => spool.open(...which),
    stat: (...which) => spool.stat(...which),
    read: (...range) => spool.read(...range),
    discard: (...which) => spool.discard(...which),
    plans: () => spool.plans(),
  }
}

class BlobSpool implements PayloadSpool {
  readonly #blobs: BlobStore
  readonly #prefix: string
  /** Of this process, by the payload's place; each is the one that may write. */
  readonly #writers = new Map<string, PayloadWriter>()
  /** The latest that were read, by the payload's place, oldest first. A payload that is whole stays as it is. */
  readonly #seals = new Map<string, SealedPart>()

  constructor(blobs: BlobStore, prefix: string) {
    this.#blobs = blobs
    this.#prefix = prefix
  }

  async open(planDigest: Digest, holder: string, parameters: PayloadParameters): Promise<PayloadWriter> {
    const place = this.#place(planDigest, holder)
    const earlier = this.#writers.get(place.directory)
    const writer = new PayloadWriter(this.#blobs, place, parameters, () => {
      if (this.#writers.get(place.directory) === writer) this.#writers.delete(place.directory)
    })
    // Before anything is awaited: whoever comes later, or discards the round, finds this one.
    this.#writers.set(place.directory, writer)
    try {
      await earlier?.refuse('conflict', 'Another upload of this payload has begun: that one goes on.')
      await writer.resume()
      return writer
    } catch (error) {
      await writer.close()
      throw error
    }
  }

  async stat(planDigest: Digest, holder: string): Promise<PayloadReference | undefined> {
    const { whole } = this.#place(planDigest, holder)
    const sealed = await readSeal(this.#blobs, whole)
    return sealed && { digest: sealed.seal.payload, bytes: sealed.seal.bytes }
  }

  async read(planDigest: Digest, holder: string, offset: number, bytes: number): Promise<Uint8Array> {
    const place = this.#place(planDigest, holder)
    const sealed = await this.#sealed(place)
    const { seal } = sealed
    const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes) && offset >= 0 && bytes >= 0
    if (!inside || offset + bytes > seal.bytes) {
      throw new StoreError('invalid-value', `A payload of ${seal.bytes} bytes has no ${bytes} bytes at ${offset}.`)
    }
    const into = new Uint8Array(bytes)
    const fullBytes = PART_CHUNKS * seal.chunkBytes
    for (let done = 0; done < bytes; ) {
      const index = Math.floor((offset + done) / fullBytes)
      const range = { ...partOf(place, sealed, index), offset: offset + done - index * fullBytes }
      const part = into.subarray(done, done + Math.min(bytes - done, range.partBytes - range.offset))
      await readPartBytes(this.#blobs, range, part)
      done += part.length
    }
    return into
  }

  async discard(planDigest: Digest, holder?: string): Promise<void> {
    const prefix = holder === undefined ? this.#roundPrefix(planDigest) : this.#place(planDigest, holder).directory
    const isUnder = (directory: string) => `${directory}/`.startsWith(`${prefix}/`)
    const writers = [...this.#writers.values()].filter(({ place }) => isUnder(place.directory))
    // None of them writes any more when they are told, so that nothing comes back after it was deleted.
    await Promise.all(writers.map((each) => each.refuse('not-found', 'The round is over: its payloads are discarded.')))
    for (const directory of this.#seals.keys()) if (isUnder(directory)) this.#seals.delete(directory)
    await this.#blobs.delete(prefix)
  }

  async plans(): Promise<Digest[]> {
    const keys = await this.#blobs.list(this.#prefix)
    return [...new Set(keys.map((key) => key.split('/')[1]))].filter(isDigest)
  }

  async #sealed({ directory, whole }: PayloadPlace): Promise<SealedPart> {
    const known = this.#seals.get(directory)
    if (known) return known
    const sealed = await readSeal(this.#blobs, whole)
    if (!sealed) throw new StoreError('not-found', `There is no payload ${directory}: the holder has to upload it.`)
    this.#seals.set(directory, sealed)
    for (const oldest of this.#seals.keys()) if (this.#seals.size > SEALS_KEPT) this.#seals.delete(oldest)
    return sealed
  }

  #roundPrefix(planDigest: Digest): string {
    if (isDigest(planDigest)) return `${this.#prefix}/${planDigest}`
    throw new StoreError('invalid-value', 'A round is named by the digest of its plan: 64 lowercase hex characters.')
  }

  #place(planDigest: Digest, holder: string): PayloadPlace {
    const round = this.#roundPrefix(planDigest)
    const name = identityField.safeParse(holder)
    if (!name.success) throw new StoreError('invalid-value', `The holder's name is ${name.error.issues[0].message}.`)
    const directory = `${round}/${name.data}`
    return { directory, whole: `${directory}/whole` }
  }
}

/** Which blob part `index` of a whole payload is. */
function partOf(place: PayloadPlace, { seal, headBytes }: SealedPart, index: number): Omit<PartRange, 'offset'> {
  const partBytes = PART_CHUNKS * seal.chunkBytes
  if (index < seal.parts.length) {
    return { key: partKey(place, index, seal.parts[index]), headBytes: partHeadBytes(PART_CHUNKS, 0), partBytes }
  }
  return { key: place.whole, headBytes, partBytes: seal.bytes - index * partBytes }
}
