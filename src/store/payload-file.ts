import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { StoreError } from './store-error.ts'

/*
 * The file of one payload: its bytes; a CRC-32 (ISO 3309) for each block of them, as unsigned 32-bit little-endian
 * numbers; a trailer of 16 bytes: a magic number and the payload's length (unsigned 64-bit, little-endian).
 *
 * The checksums find rot: a flipped bit in a ciphertext would otherwise decode to a wrong sum without a sign. They are
 * no defence against whoever can write to this directory; the protocol's digests and hashes are (protocol §4.2, §4.7).
 */

/** Bytes under one checksum; all blocks but the last are full. */
export const BLOCK_BYTES = 64 * 1024
const CHECKSUM_BYTES = 4
const TRAILER_BYTES = 16
const MAGIC = Buffer.from('SLUICEP1', 'ascii')

/** Computes what stands behind the bytes of a payload file, while they pass. */
export class PayloadChecksums {
  readonly #finished: number[] = []
  #current = 0
  #bytes = 0

  /** Takes in the next bytes of the payload, any number of them. */
  update(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; ) {
      const room = BLOCK_BYTES - (this.#bytes % BLOCK_BYTES)
      const part = bytes.subarray(start, start + room)
      this.#current = crc32(part, this.#current)
      this.#bytes += part.length
      start += part.length
      if (this.#bytes % BLOCK_BYTES === 0) this.#finishBlock()
    }
  }

  /** The checksums and the trailer. Ends the computation. */
  footer(): Uint8Array {
    if (this.#bytes % BLOCK_BYTES !== 0) this.#finishBlock()
    const footer = Buffer.alloc(this.#finished.length * CHECKSUM_BYTES + TRAILER_BYTES)
    this.#finished.forEach((checksum, i) => {
      footer.writeUInt32LE(checksum, i * CHECKSUM_BYTES)
    })
    MAGIC.copy(footer, footer.length - TRAILER_BYTES)
    footer.writeBigUInt64LE(BigInt(this.#bytes), footer.length - 8)
    return footer
  }

  #finishBlock(): void {
    this.#finished.push(this.#current)
    this.#current = 0
  }
}

/**
 * `bytes` bytes of a payload from `offset`, checked. Holds the blocks that they touch in memory and nothing else.
 *
 * @throws StoreError `corrupt` when the file is not whole or a checksum does not hold; `invalid-value` when the range is
 * not within the payload; ENOENT and the like as they come.
 */
export async function readPayloadFile(path: string, offset: number, bytes: number): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const payloadBytes = await readPayloadBytes(file, path)
    const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes) && offset >= 0 && bytes >= 0
    if (!inside || offset + bytes > payloadBytes) {
      throw new StoreError('invalid-value', `A payload of ${payloadBytes} bytes has no ${bytes} bytes at ${offset}.`)
    }
    if (bytes === 0) return new Uint8Array(0)
    return await readBlocks(file, path, payloadBytes, offset, bytes)
  } finally {
    await file.close()
  }
}

async function readPayloadBytes(file: FileHandle, path: string): Promise<number> {
  const { size } = await file.stat()
  if (size < TRAILER_BYTES) throw damaged(path)
  const trailer = await readExactly(file, path, size - TRAILER_BYTES, TRAILER_BYTES)
  const payloadBytes = Number(trailer.readBigUInt64LE(8))
  const expected = payloadBytes + Math.ceil(payloadBytes / BLOCK_BYTES) * CHECKSUM_BYTES + TRAILER_BYTES
  if (!trailer.subarray(0, 8).equals(MAGIC) || size !== expected) throw damaged(path)
  return payloadBytes
}

async function readBlocks(file: FileHandle, path: string, payloadBytes: number, offset: number, bytes: number) {
  const first = Math.floor(offset / BLOCK_BYTES)
  const count = Math.ceil((offset + bytes) / BLOCK_BYTES) - first
  const start = first * BLOCK_BYTES
  const end = Math.min(start + count * BLOCK_BYTES, payloadBytes)
  const blocks = await readExactly(file, path, start, end - start)
  const checksums = await readExactly(file, path, payloadBytes + first * CHECKSUM_BYTES, count * CHECKSUM_BYTES)
  for (let i = 0; i < count; i++) {
    const block = blocks.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
    if (crc32(block) !== checksums.readUInt32LE(i * CHECKSUM_BYTES)) throw damaged(path)
  }
  // A copy at the start of its own buffer, which a caller may look at as wider numbers.
  return new Uint8Array(blocks.subarray(offset - start, offset - start + bytes))
}

async function readExactly(file: FileHandle, path: string, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, position + done)
    if (bytesRead === 0) throw damaged(path)
    done += bytesRead
  }
  return buffer
}

function damaged(path: string): StoreError {
  return new StoreError('corrupt', `The payload ${path} is damaged: abandon its round and plan another one.`)
}
