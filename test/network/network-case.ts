import type { CertifiedKey } from '../../src/crypto/certificates.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import { chunkGeometry, type PayloadParameters, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import type { TlsMaterial } from '../../src/wire/credentials.ts'

/** What the processes of one test share. */
export interface NetworkCase {
  readonly venue: string
  readonly plan: Digest
  readonly parameters: PayloadParameters
  readonly chunkBytes: number
  readonly authority: CertifiedKey
  /** Of the holder. */
  readonly tls: TlsMaterial
  /** The coordinator's state. */
  readonly directory: string
  readonly idleMs: number
  /** How long the holder tries. */
  readonly patienceMs: number
}

const form = { precisionBits: 16, maxContributors: 4 }

/** A payload of full chunks, of at least so many bytes. */
export function payloadOfBytes(bytes: number): PayloadParameters {
  const one = payloadParameters({ ...form, length: 1 }).valuesPerChunk
  const chunkBytes = payloadParameters({ ...form, length: one }).ciphertextBytes
  return payloadParameters({ ...form, length: one * Math.ceil(bytes / chunkBytes) })
}

/** Canonical chunks, told apart by their first bytes. */
export async function* chunksOf({ parameters }: Pick<NetworkCase, 'parameters'>): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < parameters.chunkCount; index++) {
    const chunk = Buffer.alloc(chunkGeometry(parameters, index).bytes)
    chunk.writeUInt32LE(index)
    yield new Uint8Array(chunk)
  }
}

export const keySum = new Uint8Array(1000).fill(7)

/** The same bytes at each call. */
export function artifactOf({ parameters }: Pick<NetworkCase, 'parameters'>): Uint8Array {
  return new Uint8Array(parameters.ciphertextBytes).map((_, i) => i % 251)
}

export function say(saying: object): void {
  process.stdout.write(`${JSON.stringify(saying)}\n`)
}
