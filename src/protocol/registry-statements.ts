import { z } from 'zod'
import type { Envelope } from '../crypto/envelope.ts'
import { memberSchema } from './round-plan.ts'
import { base64Field, defineStatement, digestField, identityField, instantField, publicKeyField } from './statement.ts'

/**
 * Signatures of a registry statement, and of the request within it: so many still fit into an entry of the log
 * (docs/adr/0005). With two thirds of the organisations to sign, a venue has at most 478 of them.
 */
export const REGISTRY_SIGNATURES_MAX = 320

const venueField = z.string().regex(/^[a-z0-9.-]{1,120}$/, 'not a venue name: a–z, 0–9, "." and "-"')

/** People compare these names and approve them: no invisible characters, one space between words, one Unicode form. */
const organisationField = z
  .string()
  .min(1)
  .max(120)
  .regex(/^[^\p{C}\p{Z}]+( [^\p{C}\p{Z}]+)*$/u, 'not words with single spaces between them')
  .refine((name) => name === name.normalize('NFC'), 'not in Unicode normalisation form C')

const reasonField = z
  .string()
  .max(500)
  .regex(/^\P{C}*$/u, 'not one line of text')

/**
 * The body of an application: a holder asks to be a member, or, when it is one, to have other keys. Signed with the statement
 * key that it names, which proves its possession, and by a member with its present one, too. It says nothing of its place
 * in the registry, so that it is signed once, whoever else applies at the time. Members that approve it sign it as well.
 */
export const applicationSchema = z.strictObject({
  venue: venueField,
  member: memberSchema.extend({ organisation: organisationField }),
})

export type Application = z.infer<typeof applicationSchema>

export const applicationStatement = defineStatement('application', applicationSchema, REGISTRY_SIGNATURES_MAX)

/**
 * The body of a departure: a holder is to be a member no longer. Signed by the coordinator or by the holder; members that
 * approve it sign it as well. The key makes it useless against a holder that came back.
 */
export const departureSchema = z.strictObject({
  venue: venueField,
  holder: identityField,
  /** Under which it is a member now. */
  statementKey: publicKeyField,
  /** For people. */
  reason: reasonField,
})

export type Departure = z.infer<typeof departureSchema>

export const departureStatement = defineStatement('departure', departureSchema, REGISTRY_SIGNATURES_MAX)

/** A statement inside another: the exact bytes that were signed, and who signed them. */
const embeddedSchema = z.strictObject({
  payloadType: z.string().max(120),
  payload: base64Field,
  signatures: z.array(z.strictObject({ keyid: digestField, sig: base64Field })).max(REGISTRY_SIGNATURES_MAX),
})

export type EmbeddedStatement = z.infer<typeof embeddedSchema>

const placeFields = {
  venue: venueField,
  /** Counts from 1 over all registry statements of the venue. */
  sequence: z
    .int()
    .min(1)
    .max(2 ** 31 - 1),
  /** Digest of the registry statement before; absent in the first. */
  previous: digestField.optional(),
}

/** The body of a membership: an approved application, and its place in the registry. Signed by the coordinator, then by a quorum. */
export const membershipSchema = z.strictObject({
  ...placeFields,
  application: embeddedSchema,
  admittedAt: instantField,
})

export type Membership = z.infer<typeof membershipSchema>

export const membershipStatement = defineStatement('membership', membershipSchema, REGISTRY_SIGNATURES_MAX)

/** The body of a revocation: a departure that is approved, or the holder's own, and its place in the registry. */
export const revocationSchema = z.strictObject({ ...placeFields, departure: embeddedSchema, revokedAt: instantField })

export type Revocation = z.infer<typeof revocationSchema>

export const revocationStatement = defineStatement('revocation', revocationSchema, REGISTRY_SIGNATURES_MAX)

export function embedStatement({ payloadType, payload, signatures }: Envelope): EmbeddedStatement {
  return {
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig).toString('base64') })),
  }
}

/** The inverse of {@link embedStatement}; the schema has checked the base64. */
export function extractStatement({ payloadType, payload, signatures }: EmbeddedStatement): Envelope {
  return {
    payloadType,
    payload: new Uint8Array(Buffer.from(payload, 'base64')),
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: new Uint8Array(Buffer.from(sig, 'base64')) })),
  }
}
