import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { type BlobStore, PART_CHUNKS } from '../coordinator/ports.ts'
import { type Digest, fromHex, toHex } from '../crypto/digest.ts'
import { digestField } from '../protocol/statement.ts'
import { StoreError } from './store-error.ts'

/*
 * The blob of one part of a payload. Numbers are unsigned, 32 bits, little-endian; checksums are CRC-32 (ISO 3309).
 *
 *   head      magic "SLUICEPP"; count of chunks; bytes of the seal; the SHA-256 of every chunk; the seal; checksum of all this
 *   blocks    the chunks' bytes, one behind the other, in blocks of BLOCK_BYTES (the last may be shorter), each followed by its checksum
 *
 * The seal is in the last part alone: JSON that says what the whole payload is, so that the last part is what makes it whole.
 *
 * Checksums find rot: a flipped bit in a ciphertext would otherwise decode to a wrong sum without a sign. They are no defence against
 * whoever can write to the store; the protocol's digests and hashes are (protocol §4.2, §4.7).
 */

/** Bytes under one checksum: a third of a full chunk, so that reading a chunk reads nothing else. */
export const BLOCK_BYTES = 72 * 1024
const CHECKSUM_BYTES = 4
const DIGEST_BYTES = 32
const MAGIC = Buffer.from('SLUICEPP', 'ascii')
const PREAMBLE_BYTES = MAGIC.length + 8

const sealSchema = z.strictObject({
  payload: digestField,
  /** Of the payload. */
  bytes: z.int().min(1),
  /** Of every chunk but the last. */
  chunkBytes: z.int().min(1),
  /** Names of the parts before this one: the payload digest over the chunks up to each one's end. */
  parts: z.array(digestField).readonly(),
})

/** What a whole payload is. */
export type Seal = z.infer<typeof sealSchema>

/** What stands before the bytes of a part. */
export interface PartHead {
  readonly chunks: readonly Digest[]
  readonly seal?: Seal
  /** Bytes of all this. */
  readonly headBytes: number
}

/** Bytes before those of a part's chunks. @param sealBytes 0 for every part but the last */
export function partHeadBytes(chunkCount: number, sealBytes: number): number {
  return PREAMBLE_BYTES + chunkCount * DIGEST_BYTES + sealBytes + CHECKSUM_BYTES
}

/** Where block `index` begins, from the head's end. */
function blockStart(index: number): number {
  return index * (BLOCK_BYTES + CHECKSUM_BYTES)
}

/** The blob of a part, which grows chunk by chunk: no chunk is anywhere else. */
export class PartBuilder {
  readonly #blob: Buffer
  readonly #headBytes: number
  readonly #partBytes: number
  readonly #chunkCount: number
  #bytes = 0
  #checksum = 0

  /** @param partBytes of the chunks together @param seal of the last part, as long as the one that `finish` gets */
  constructor(chunkCount: number, partBytes: number, seal?: Seal) {
    const sealBytes = encodeSeal(seal).length
    this.#chunkCount = chunkCount
    this.#partBytes = partBytes
    this.#headBytes = partHeadBytes(chunkCount, sealBytes)
    this.#blob = Buffer.allocUnsafeSlow(this.#headBytes + partBytes + blockCount(partBytes) * CHECKSUM_BYTES)
    MAGIC.copy(this.#blob)
    this.#blob.writeUInt32LE(chunkCount, MAGIC.length)
    this.#blob.writeUInt32LE(sealBytes, MAGIC.length + 4)
  }

  append(chunk: Uint8Array): void {
    for (let start = 0; start < chunk.length; ) {
      const room = BLOCK_BYTES - (this.#bytes % BLOCK_BYTES)
      const piece = chunk.subarray(start, start + room)
      const at = this.#headBytes + this.#bytes + Math.floor(this.#bytes / BLOCK_BYTES) * CHECKSUM_BYTES
      this.#blob.set(piece, at)
      this.#checksum = crc32(piece, this.#checksum)
      this.#bytes += piece.length
      start += piece.length
      if (piece.length < room && this.#bytes < this.#partBytes) continue
      this.#blob.writeUInt32LE(this.#checksum, at + piece.length)
      this.#checksum = 0
    }
  }

  /** The whole blob, when all chunks have been appended. @param chunks their digests */
  finish(chunks: readonly Digest[], seal?: Seal): Uint8Array {
    const sealText = encodeSeal(seal)
    const sealAt = PREAMBLE_BYTES + this.#chunkCount * DIGEST_BYTES
    const checked = this.#headBytes - CHECKSUM_BYTES
    const fits = chunks.length === this.#chunkCount && sealAt + sealText.length === checked
    if (!fits || this.#bytes !== this.#partBytes) throw new Error('a part was finished as another than it was begun')
    for (const [i, digest] of chunks.entries()) this.#blob.set(fromHex(digest), PREAMBLE_BYTES + i * DIGEST_BYTES)
    sealText.copy(this.#blob, sealAt)
    this.#blob.writeUInt32LE(crc32(this.#blob.subarray(0, checked)), checked)
    return this.#blob
  }
}

function encodeSeal(seal: Seal | undefined): Buffer {
  return Buffer.from(seal ? JSON.stringify(seal) : '', 'utf8')
}

function blockCount(partBytes: number): number {
  return Math.ceil(partBytes / BLOCK_BYTES)
}

/** The head of the part at `key`, checked. @throws StoreError `not-found`, `corrupt` */
export async function readPartHead(blobs: BlobStore, key: string): Promise<PartHead> {
  const preamble = Buffer.from(await readRange(blobs, key, 0, PREAMBLE_BYTES))
  const chunkCount = preamble.readUInt32LE(MAGIC.length)
  const sealBytes = preamble.readUInt32LE(MAGIC.length + 4)
  if (!preamble.subarray(0, MAGIC.length).equals(MAGIC) || chunkCount > PART_CHUNKS) throw damaged(key)
  const headBytes = partHeadBytes(chunkCount, sealBytes)
  const rest = Buffer.from(await readRange(blobs, key, PREAMBLE_BYTES, headBytes - PREAMBLE_BYTES))
  const checked = rest.length - CHECKSUM_BYTES
  if (crc32(rest.subarray(0, checked), crc32(preamble)) !== rest.readUInt32LE(checked)) throw damaged(key)
  const chunks = Array.from({ length: chunkCount }, (_, i) =>
    toHex(rest.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES)),
  )
  if (sealBytes === 0) return { chunks, headBytes }
  const seal = sealSchema.safeParse(JSON.parse(rest.toString('utf8', chunkCount * DIGEST_BYTES, checked)))
  if (!seal.success) throw damaged(key)
  return { chunks, seal: seal.data, headBytes }
}

/** A payload that is whole, and the head of its last part. */
export interface SealedPart {
  readonly seal: Seal
  readonly headBytes: number
}

/** The seal at `key`; undefined when there is none. @throws StoreError `corrupt` */
export async function readSeal(blobs: BlobStore, key: string): Promise<SealedPart | undefined> {
  try {
    const { seal, headBytes } = await readPartHead(blobs, key)
    if (!seal) throw damaged(key)
    return { seal, headBytes }
  } catch (error) {
    if (error instanceof StoreError && error.code === 'not-found') return undefined
    throw error
  }
}

/** Which part, and what of it. */
export interface PartRange {
  readonly key: string
  readonly headBytes: number
  /** Of the part's chunks together. */
  readonly partBytes: number
  /** From the first chunk's first byte. */
  readonly offset: number
}

/**
 * Reads bytes of a part's chunks into `into`, which says how many; checked.
 * @throws StoreError `not-found`, `corrupt`
 */
export async function readPartBytes(blobs: BlobStore, range: PartRange, into: Uint8Array): Promise<void> {
  const { key, headBytes, partBytes, offset } = range
  const [first, end] = [Math.floor(offset / BLOCK_BYTES), Math.ceil((offset + into.length) / BLOCK_BYTES)]
  const lastBytes = Math.min(BLOCK_BYTES, partBytes - (end - 1) * BLOCK_BYTES)
  const bytes = blockStart(end - 1) + lastBytes + CHECKSUM_BYTES - blockStart(first)
  const blob = Buffer.from((await readRange(blobs, key, headBytes + blockStart(first), bytes)).buffer)
  for (let i = first; i < end; i++) {
    const at = blockStart(i) - blockStart(first)
    const block = blob.subarray(at, at + (i === end - 1 ? lastBytes : BLOCK_BYTES))
    if (crc32(block) !== blob.readUInt32LE(at + block.length)) throw damaged(key)
    const skip = Math.max(0, offset - i * BLOCK_BYTES)
    const until = Math.min(block.length, offset + into.length - i * BLOCK_BYTES)
    into.set(block.subarray(skip, until), i * BLOCK_BYTES + skip - offset)
  }
}

/** A part that is shorter than it should be is damaged. */
async function readRange(blobs: BlobStore, key: string, offset: number, bytes: number): Promise<Uint8Array> {
  try {
    return await blobs.get(key, { offset, bytes })
  } catch (error) {
    if (error instanceof StoreError && error.code === 'invalid-value') throw damaged(key, error)
    throw error
  }
}

function damaged(key: string, cause?: unknown): StoreError {
  return new StoreError('corrupt', `The payload part ${key} is damaged: abandon its round and plan another one.`, {
    cause,
  })
}
