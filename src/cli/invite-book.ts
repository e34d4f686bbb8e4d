import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Digest, digestOf } from '../crypto/digest.ts'
import { identityField, instantField } from '../protocol/statement.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { EnrolmentRefusal } from '../wire/enrolment-service.ts'
import { readSchemaFile, writeSecretFile } from './files.ts'

/** `invites/<SHA-256 of the secret>.json` in a venue's directory. The secret itself is nowhere at the venue. */
const inviteRecordSchema = z.strictObject({
  role: z.enum(['holder', 'researcher']),
  name: identityField,
  organisation: z.string().min(1).max(120).optional(),
  expiresAt: instantField,
  state: z.enum(['open', 'used']),
  /** Of a used one: when, and the digest of the enrolment that used it. */
  usedAt: instantField.optional(),
  enrolment: z.string().optional(),
  /** The answer, to be repeated; absent while it is being made. PEM. */
  certificatePem: z.string().optional(),
})

export type InviteRecord = z.output<typeof inviteRecordSchema>

/**
 * The invites of a venue. They are files, so that an operator makes one while the coordinator runs: the coordinator looks an
 * invite up when its secret comes. One coordinator process uses them up at a time (its state directory is locked).
 */
export class InviteBook {
  readonly #directory: string

  constructor(venueDirectory: string) {
    this.#directory = join(venueDirectory, 'invites')
  }

  #path(secret: Uint8Array): string {
    return join(this.#directory, `${digestOf(secret)}.json`)
  }

  /** Notes a new invite. Durable when it resolves. */
  async add(secret: Uint8Array, invite: Omit<InviteRecord, 'state'>): Promise<void> {
    await this.#write(secret, { ...invite, state: 'open' })
  }

  async #write(secret: Uint8Array, record: InviteRecord): Promise<void> {
    await writeSecretFile(this.#path(secret), `${JSON.stringify(record, null, 2)}\n`)
  }

  /** The invite of a secret that one enrolment may use, now or again. Changes nothing. */
  async find(secret: Uint8Array, enrolment: Digest, now: Date): Promise<Verdict<InviteRecord, EnrolmentRefusal>> {
    const path = this.#path(secret)
    if (!existsSync(path)) {
      return refused('invite-unknown', 'The venue has no such invite: copy the whole of it, or ask for a new one.')
    }
    const record = await readSchemaFile(path, inviteRecordSchema)
    if (record.state === 'used') {
      if (record.enrolment === enrolment) return accepted(record)
      return refused(
        'invite-used',
        `The invite of ${record.name} was used on ${record.usedAt} with other keys: if that was not you, tell the venue's operator at once; otherwise ask for a new one.`,
      )
    }
    if (now >= new Date(record.expiresAt)) {
      return refused(
        'invite-expired',
        `The invite of ${record.name} expired on ${record.expiresAt}: ask for a new one.`,
      )
    }
    return accepted(record)
  }

  /** Uses an invite up for one enrolment. Durable when it resolves, before anything is issued for it. */
  async use(secret: Uint8Array, record: InviteRecord, enrolment: Digest, now: Date): Promise<InviteRecord> {
    const used = { ...record, state: 'used' as const, usedAt: record.usedAt ?? now.toISOString(), enrolment }
    await this.#write(secret, used)
    return used
  }

  /** Keeps the answer to the enrolment that used an invite. */
  async answer(secret: Uint8Array, record: InviteRecord, certificatePem: string): Promise<void> {
    await this.#write(secret, { ...record, certificatePem })
  }
}
