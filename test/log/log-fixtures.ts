import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { type LogSigner, logKeyOf } from '../../src/log/checkpoint.ts'
import { type WitnessSigner, witnessKeyOf } from '../../src/log/cosignature.ts'
import { LogError } from '../../src/log/log-error.ts'
import { createLog, type LogWriter } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'

const keyOf = (byte: number) => statementKeyFromSeed(new Uint8Array(32).fill(byte))

export const SIGNER: LogSigner = { origin: 'venue.example/log', key: keyOf(1) }
export const LOG_KEY = logKeyOf(SIGNER)

export const WITNESSES: WitnessSigner[] = ['zurich', 'hungary', 'cleveland'].map((holder, i) => ({
  name: `${holder}.example/witness`,
  key: keyOf(10 + i),
}))
export const WITNESS_KEYS = WITNESSES.map(witnessKeyOf)

/** Somebody else, with a key of the same kind. */
export const STRANGER: LogSigner = { origin: SIGNER.origin, key: keyOf(99) }

export const entryAt = (i: number): Uint8Array => Buffer.from(`entry ${i}`)
export const entriesUpTo = (end: number, start = 0): Uint8Array[] =>
  Array.from({ length: end - start }, (_, i) => entryAt(start + i))

/** A log in memory whose sizes with a checkpoint are these, in order. */
export async function logOfSizes(
  ...sizes: readonly number[]
): Promise<{ storage: MemoryLogStorage; writer: LogWriter; notes: Map<number, string> }> {
  const storage = new MemoryLogStorage()
  const writer = await createLog(storage, SIGNER)
  const notes = new Map([[0, writer.checkpoint.note]])
  for (const size of sizes) {
    while (writer.checkpoint.size < size) {
      const start = writer.checkpoint.size
      await writer.append(entriesUpTo(Math.min(size, start + 4096), start))
    }
    notes.set(size, writer.checkpoint.note)
  }
  return { storage, writer, notes }
}

/** The code of the error that a call throws, or of the promise it rejects; undefined when it succeeds. */
export function codeOf(call: () => unknown): string | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (error instanceof LogError) return error.code
    throw error
  }
}

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = new Uint8Array(bytes)
  flipped[bit >> 3] ^= 1 << (bit & 7)
  return flipped
}
