import { z } from 'zod'
import { fromHex, toHex } from '../../src/crypto/digest.ts'
import type { Randomness } from '../../src/crypto/randomness.ts'
import { boxKeyFromSeed, drawBoxSeed } from '../../src/crypto/sealed-box.ts'
import { drawStatementSeed, statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import type { MemberKeys } from '../../src/protocol/committee-member.ts'
import type { Member } from '../../src/protocol/round-plan.ts'
import { identityField } from '../../src/protocol/statement.ts'
import { HolderError } from './holder-error.ts'

const seedField = z.string().regex(/^[0-9a-f]{64}$/, 'not 32 bytes in lowercase hexadecimal')

/** The secret part of a holder's identity, as it lies in a file that only its owner reads. */
export const identityFileSchema = z.strictObject({
  holder: identityField,
  organisation: z.string().min(1).max(120),
  /** Seed of the Ed25519 statement key. Secret. */
  statementSeed: seedField,
  /** Seed of the X25519 box key. Secret. */
  boxSeed: seedField,
})

export type IdentityFile = z.output<typeof identityFileSchema>

/** New seeds for a holder. Secret; for its owner's file alone. */
export function drawIdentity(holder: string, organisation: string, randomness: Randomness): IdentityFile {
  return {
    holder,
    organisation,
    statementSeed: toHex(drawStatementSeed(randomness)),
    boxSeed: toHex(drawBoxSeed(randomness)),
  }
}

/**
 * The keys of an identity file, and what the venue knows of it: its public keys.
 * @throws HolderError `identity-invalid`; its message quotes nothing of the file but the names of the fields that belong there
 */
export async function openIdentity(file: unknown): Promise<{ readonly keys: MemberKeys; readonly member: Member }> {
  const read = identityFileSchema.safeParse(file)
  if (!read.success) {
    const wrong = Object.keys(identityFileSchema.shape).filter((name) =>
      read.error.issues.some(({ path }) => path[0] === name),
    )
    throw new HolderError(
      'identity-invalid',
      `The identity file is not one of Sluice (${wrong.join(', ') || 'it has fields that do not belong there'}): restore it from a copy, or join the venue under another name.`,
    )
  }
  const { holder, organisation, statementSeed, boxSeed } = read.data
  const statementKey = statementKeyFromSeed(fromHex(statementSeed))
  const boxKey = await boxKeyFromSeed(fromHex(boxSeed))
  return {
    keys: { holder, statementKey, boxKey },
    member: { holder, organisation, statementKey: statementKey.publicKey, boxKey: boxKey.publicKey },
  }
}
