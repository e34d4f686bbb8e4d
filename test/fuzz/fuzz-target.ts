import type fc from 'fast-check'

/** One decoder of bytes from the network, and what it promises. Add a decoder to the suite by adding one of these to a list. */
export interface FuzzTarget<T = unknown> {
  readonly name: string
  /** Valid inputs, made by the real encoders; all of them decode. */
  readonly corpus: readonly Uint8Array[]
  /**
   * The decoder. May give a value, a `Verdict` or a promise of one; may throw a `SluiceError`, or {@link RefusedByGrpc}.
   * Whatever else comes out of it is a finding.
   */
  decode(bytes: Uint8Array): T | Promise<T>
  /** The inverse, of what `decode` gives (of a verdict: of its value). */
  readonly encode?: (value: NonNullable<AcceptedOf<Awaited<T>>>) => Uint8Array
  /**
   * `bytes`: what decodes is the one encoding of its value. `value`: a value may be written in several ways (white space,
   * order of fields), and what is encoded again decodes to the same.
   */
  readonly roundTrip?: 'bytes' | 'value'
  /** The most memory that one input may cost: `fixedBytes` + `perInputByte` · length. */
  readonly allocation?: AllocationLimit
  /** Inputs with structure that flipping bytes would not find. */
  readonly structured?: fc.Arbitrary<Uint8Array>
}

type AcceptedOf<T> = T extends { readonly ok: true; readonly value: infer V }
  ? V
  : T extends { readonly ok: false }
    ? never
    : T

export interface AllocationLimit {
  readonly fixedBytes: number
  readonly perInputByte: number
}

/** Room for the objects of a parser: the smallest JSON or protobuf element is 2 bytes, its object some tens. */
export const DEFAULT_ALLOCATION: AllocationLimit = { fixedBytes: 512 * 1024, perInputByte: 64 }

/** Keeps the types of one target together; lists of targets forget them. */
export function target<T>(definition: FuzzTarget<T>): FuzzTarget {
  return definition as FuzzTarget
}

/**
 * The gRPC library could not read a message, and would end the call with a status of its own (INTERNAL at a server's
 * request): the peer gets a named status, and none of our code has seen the bytes.
 */
export class RefusedByGrpc extends Error {}
