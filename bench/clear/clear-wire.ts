import type { MethodDefinition } from '@grpc/grpc-js'

/*
 * The wire of federated averaging in the clear: what a protected round is compared with. One stream for each holder over the same
 * mutual TLS, artifacts fetched in pieces, updates as plain float32.
 */

const bytes = { serialize: (message: Buffer) => message, deserialize: (message: Buffer) => message }

function streaming(path: string, requestStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream,
    responseStream: true,
    requestSerialize: bytes.serialize,
    requestDeserialize: bytes.deserialize,
    responseSerialize: bytes.serialize,
    responseDeserialize: bytes.deserialize,
  }
}

export const clearService = {
  attend: streaming('/sluice.bench.Clear/Attend', true),
  /** By the digest, in hexadecimal. */
  fetch: streaming('/sluice.bench.Clear/Fetch', false),
}

/** Bytes of one message, as in Sluice's own wire. */
export const PIECE_BYTES = 256 * 1024

export type ClearMessage =
  | { readonly kind: 'hello'; readonly holder: string }
  | { readonly kind: 'compute'; readonly step: string; readonly round: number; readonly inputs: [string, string][] }
  /** What a holder made of its records, but for the update. */
  | { readonly kind: 'values'; readonly segments: [string, number[]][]; readonly updateLength: number }
  /** Some of the update follow as bytes: float32 from this weight on. */
  | { readonly kind: 'update'; readonly at: number }

/** A message as JSON behind its length, then bytes. */
export function encodeClear(message: ClearMessage, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.from(JSON.stringify(message))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.length)
  return Buffer.concat([length, head, payload])
}

export function decodeClear(bytes: Buffer): { readonly message: ClearMessage; readonly payload: Uint8Array } {
  const end = 4 + bytes.readUInt32LE(0)
  return { message: JSON.parse(bytes.subarray(4, end).toString()), payload: bytes.subarray(end) }
}
