/** What one peer may send at once; checked before memory is taken for it. */
export const limits = {
  /** One gRPC message: a chunk of ciphertext has 221,184 bytes, a contribution with its shares at most about 150 kB. */
  messageBytes: 4 * 1024 * 1024,
  /**
   * One message to the coordinator: the largest is a job specification. Less than what it may send, because protobuf makes
   * hundreds of times its bytes of a message of empty parts.
   */
  requestBytes: 1280 * 1024,
  /** Bytes of one piece of an artifact on the wire. */
  artifactChunkBytes: 256 * 1024,
  /** An artifact that a holder will take in: the largest model of `learning/model.ts` is 1 GiB. */
  artifactBytes: 2 ** 30 + 2 ** 20,
  /** A contribution statement with sealed shares for a committee of 15. */
  contributionBytes: 512 * 1024,
  /** Signatures of one envelope: a manifest has the coordinator's and one for each of at most 15 members. */
  signatures: 32,
  /** Calls that one connection may have open at once: what HTTP/2 lets a peer begin before anybody has looked at who it is. */
  callsPerConnection: 64,
  /** Calls that one identity may have open, over all its connections: one stream, and a few transfers for each round it is in. */
  callsPerIdentity: 64,
  /** Rounds to which one holder may upload at once; one upload for each of them. */
  uploadsPerHolder: 4,
  /** A transfer in which nothing moves for so long is ended, at either end: nobody holds spool and stream by doing nothing. */
  idleMs: 60_000,
  /** For so long a transfer without progress is tried again, when nobody says when it is wanted no more. */
  stallMs: 600_000,
  /** A certificate signing request: a P-256 key and one name take about 300. */
  signingRequestBytes: 4096,
  /** Registry statements of one answer; each is an entry of the log, 64 KiB at most. */
  registryPage: 128,
  /** One enrolment: a secret, a signing request, an application. */
  enrolmentBytes: 64 * 1024,
  enrolmentsPerConnection: 4,
  /** A job specification as submitted. */
  specificationBytes: 1024 * 1024,
} as const

/** The version of proto/sluice that this code speaks: another one with each change that the older side does not understand. */
export const PROTOCOL_VERSION = '2'

/** HTTP/2 pings: a half-open connection is noticed within about half a minute. */
export const keepalive = { timeMs: 20_000, timeoutMs: 10_000 } as const
