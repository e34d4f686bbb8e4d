import { z } from 'zod'
import { type Envelope, isSignedBy, signEnvelope } from '../crypto/envelope.ts'
import type { StatementKey, StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Refusal } from './protocol-error.ts'

/**
 * One kind of signed statement: its DSSE payload type and the schema of its body. Bodies are the ProtoJSON form of the
 * message of the same name in proto/sluice/v1/round.proto: readable in a log by people, writable in any language
 * (docs/adr/0002).
 */
export interface StatementKind<T> {
  readonly payloadType: string
  readonly schema: z.ZodType<T>
}

/** No statement of the protocol is larger; a contribution with sealed shares for a committee of 32 has about 300 kB. */
export const STATEMENT_BYTES_MAX = 4 * 1024 * 1024

/** Field forms that several statements share. */
export const digestField = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 digest in lowercase hexadecimal')
export const publicKeyField = z.string().regex(/^[0-9a-f]{64}$/, 'not a 32-byte key in lowercase hexadecimal')
/** An identity: what stands behind the last slash of its SPIFFE id. */
export const identityField = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'not an identity: 1–63 of a–z, 0–9, "." and "-"')
export const instantField = z.iso.datetime({ precision: 3 })
export const base64Field = z.base64()

export function defineStatement<T>(name: string, schema: z.ZodType<T>): StatementKind<T> {
  return { payloadType: `application/vnd.sluice.v1.${name}+json`, schema }
}

/** The signed statement. `value` is checked against the schema, so that nothing leaves that a peer would refuse. */
export function signStatement<T>(kind: StatementKind<T>, value: T, key: StatementKey): Envelope {
  const body = new TextEncoder().encode(JSON.stringify(kind.schema.parse(value)))
  return signEnvelope(kind.payloadType, body, key)
}

/** The body of an envelope that `signer` signed; type, size, signature and form are checked in this order. */
export function readStatement<T>(
  kind: StatementKind<T>,
  envelope: Envelope,
  signer: StatementPublicKey,
): Verdict<T, Refusal> {
  const body = parseStatement(kind, envelope)
  if (!body.ok) return body
  if (!isSignedBy(envelope, signer)) {
    return refused('bad-signature', `A ${kind.payloadType} is not signed by the key ${signer.slice(0, 16)}….`)
  }
  return body
}

/** The body without a signature check: for reading who claims to have signed. Follow with {@link readStatement}. */
export function parseStatement<T>(kind: StatementKind<T>, envelope: Envelope): Verdict<T, Refusal> {
  if (envelope.payload.length > STATEMENT_BYTES_MAX) {
    return refused(
      'statement-too-large',
      `A statement has ${envelope.payload.length} bytes, over ${STATEMENT_BYTES_MAX}.`,
    )
  }
  if (envelope.payloadType !== kind.payloadType) {
    return refused('wrong-statement-type', `Expected ${kind.payloadType}, got ${envelope.payloadType.slice(0, 80)}.`)
  }
  const value = parseJson(envelope.payload)
  const result = kind.schema.safeParse(value)
  if (!result.success) {
    const issue = result.error.issues[0]
    return refused(
      'malformed-statement',
      `A ${kind.payloadType} is malformed at ${issue.path.join('.')}: ${issue.message}`,
    )
  }
  return accepted(result.data)
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    return undefined
  }
}
