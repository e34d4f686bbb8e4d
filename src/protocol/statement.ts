import { z } from 'zod'
import { type Envelope, isSignedBy, signEnvelope } from '../crypto/envelope.ts'
import type { StatementKey, StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { ProtocolError, type Refusal } from './protocol-error.ts'

/**
 * One kind of signed statement: its DSSE payload type and the schema of its body. Bodies are the ProtoJSON form of the
 * message of the same name in proto/sluice/v1/round.proto: readable in a log by people, writable in any language
 * (docs/adr/0002).
 */
export interface StatementKind<T> {
  readonly payloadType: string
  readonly schema: z.ZodType<T>
  /** {@link STATEMENT_SIGNATURES_MAX} unless told. */
  readonly signaturesMax?: number
}

/** No statement of the protocol is larger; a contribution with sealed shares for a committee of 15 has about 135 kB. */
export const STATEMENT_BYTES_MAX = 4 * 1024 * 1024
/** A certificate carries the coordinator's signature and one of each member; the rest is for signers to come. */
export const STATEMENT_SIGNATURES_MAX = 64
/** Of a reason that quotes what a peer wrote: it ends up in logs and in job events. */
const QUOTED_CHARACTERS_MAX = 200

/** Holders of a cohort, and members of its committee, at most. */
export const COHORT_MAX = 65_536
export const COMMITTEE_MAX = 15

/** Field forms that several statements share. */
export const digestField = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 digest in lowercase hexadecimal')
export const publicKeyField = z.string().regex(/^[0-9a-f]{64}$/, 'not a 32-byte key in lowercase hexadecimal')
/** An identity: what stands behind the last slash of its SPIFFE id. */
export const identityField = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'not an identity: 1–63 of a–z, 0–9, "." and "-"')
export const instantField = z.iso.datetime({ precision: 3 })
/** One value has one form: the bits that padding leaves over are zero, which the pattern of `z.base64` does not see. */
export const base64Field = z
  .base64()
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'not canonical base64')

export function defineStatement<T>(name: string, schema: z.ZodType<T>, signaturesMax?: number): StatementKind<T> {
  return { payloadType: `application/vnd.sluice.v1.${name}+json`, schema, signaturesMax }
}

/**
 * The signed statement. `value` is checked against the schema and the size limit, so that nothing leaves that a peer would
 * refuse.
 * @throws ProtocolError `statement-too-large`: the plan of a cohort of tens of thousands, say.
 */
export function signStatement<T>(kind: StatementKind<T>, value: NoInfer<T>, key: StatementKey): Envelope {
  return signEnvelope(kind.payloadType, statementBytes(kind, value), key)
}

/**
 * The exact bytes of a statement's body: fields in the order of the schema, no white space. Whoever knows all of a small
 * statement's fields can rebuild it, and verify a signature that came alone.
 * @throws ProtocolError `statement-too-large`
 */
export function statementBytes<T>(kind: StatementKind<T>, value: NoInfer<T>): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(kind.schema.parse(value)))
  if (body.length > STATEMENT_BYTES_MAX) {
    throw new ProtocolError(
      'statement-too-large',
      `A ${kind.payloadType} of ${body.length} bytes is over ${STATEMENT_BYTES_MAX}: take a smaller cohort.`,
    )
  }
  return body
}

/** The body of an envelope that `signer` signed. A stranger's bytes are not parsed: size, type, signature, then form. */
export function readStatement<T>(
  kind: StatementKind<T>,
  envelope: Envelope,
  signer: StatementPublicKey,
): Verdict<T, Refusal> {
  const objection = examineEnvelope(kind, envelope)
  if (objection) return objection
  if (!isSignedBy(envelope, signer)) {
    return refused('bad-signature', `A ${kind.payloadType} is not signed by the key ${signer.slice(0, 16)}….`)
  }
  return parseBody(kind, envelope)
}

/** The body without a signature check: for reading who claims to have signed. Follow with {@link readStatement}. */
export function parseStatement<T>(kind: StatementKind<T>, envelope: Envelope): Verdict<T, Refusal> {
  return examineEnvelope(kind, envelope) ?? parseBody(kind, envelope)
}

/** The bodies of envelopes that were verified before; what is none is left out. */
export function bodiesOf<T>(kind: StatementKind<T>, envelopes: readonly Envelope[]): T[] {
  return envelopes.flatMap((envelope) => {
    const read = parseStatement(kind, envelope)
    return read.ok ? [read.value] : []
  })
}

/** What can be said against an envelope before its body is looked at, or any signature verified. */
function examineEnvelope(
  { payloadType, signaturesMax = STATEMENT_SIGNATURES_MAX }: StatementKind<unknown>,
  envelope: Envelope,
): Verdict<never, Refusal> | undefined {
  const { payload, signatures } = envelope
  if (payload.length > STATEMENT_BYTES_MAX) {
    return refused('statement-too-large', `A statement has ${payload.length} bytes, over ${STATEMENT_BYTES_MAX}.`)
  }
  if (signatures.length > signaturesMax) {
    return refused('statement-too-large', `A statement has ${signatures.length} signatures, over ${signaturesMax}.`)
  }
  if (envelope.payloadType !== payloadType) {
    return refused('wrong-statement-type', `Expected ${payloadType}, got ${envelope.payloadType.slice(0, 80)}.`)
  }
  return undefined
}

/**
 * Bodies by their envelope: a role reads one statement at every step that rests on it, and a contribution has tens of
 * kilobytes. By the object, as envelopes are immutable, and so are bodies.
 */
const parsedBodies = new WeakMap<Envelope, { readonly kind: StatementKind<unknown>; readonly body: unknown }>()

function parseBody<T>(kind: StatementKind<T>, envelope: Envelope): Verdict<T, Refusal> {
  const known = parsedBodies.get(envelope)
  if (known?.kind === kind) return accepted(known.body as T)
  const parsed = parseBytes(kind, envelope)
  if (parsed.ok) parsedBodies.set(envelope, { kind, body: parsed.value })
  return parsed
}

function parseBytes<T>({ payloadType, schema }: StatementKind<T>, { payload }: Envelope): Verdict<T, Refusal> {
  const text = decodeText(payload)
  const value = parseJson(text)
  const result = schema.safeParse(value)
  if (!result.success) {
    const issue = result.error.issues[0]
    const where = `${issue.path.join('.')}: ${issue.message}`.slice(0, QUOTED_CHARACTERS_MAX)
    return refused('malformed-statement', `A ${payloadType} is malformed at ${where}`)
  }
  // The schema has bounded the nesting, so that counting may recurse.
  if (countNamedFields(text) !== countFields(value)) {
    return refused('malformed-statement', `A ${payloadType} is malformed: it names a field twice.`)
  }
  return accepted(result.data)
}

/** A byte order mark is no JSON (RFC 8259 §8.1), so it is left in for the parser to refuse. Not UTF-8 is no text. */
function decodeText(payload: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload)
  } catch {
    return ''
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The fields that a JSON text names, repeated ones each time: its colons outside of strings. `JSON.parse` takes the last of
 * two equal names, other readers take the first or refuse (RFC 8259 §4; ProtoJSON refuses), so that one signature would
 * say two things.
 */
function countNamedFields(text: string): number {
  let count = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (inString && character === '\\') i++
    else if (character === '"') inString = !inString
    else if (!inString && character === ':') count++
  }
  return count
}

function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const held = Object.values(value)
  return held.reduce<number>((sum, inner) => sum + countFields(inner), Array.isArray(value) ? 0 : held.length)
}
