import { type Envelope, signatureOver } from '../../src/crypto/envelope.ts'
import type { StatementKey } from '../../src/crypto/statement-key.ts'
import {
  applyRegistryStatement,
  emptyRegistry,
  proposeRegistryStatement,
  type Registry,
} from '../../src/protocol/registry.ts'
import { examineRegistryRequest } from '../../src/protocol/registry-request.ts'
import { applicationStatement, departureStatement } from '../../src/protocol/registry-statements.ts'
import type { Member } from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { acceptedOf, coordinatorKey, createParty, NOW, type Party } from './round-fixtures.ts'

/** Registries of the tests, made as a venue makes them. */

export const VENUE = 'heart.example'

export function withSignatures(envelope: Envelope, keys: readonly StatementKey[]): Envelope {
  const added = keys.map((key) => signatureOver(envelope.payloadType, envelope.payload, key))
  return { ...envelope, signatures: [...envelope.signatures, ...added] }
}

export const keysOf = (parties: readonly Party[]) => parties.map(({ keys }) => keys.statementKey)

/** An application of a party, which has signed it; `alsoBy` as a member's present key, or as members that approve. */
export function applicationOf(
  { member, keys }: Party,
  alsoBy: readonly StatementKey[] = [],
  changes: Partial<Member> = {},
): Envelope {
  const body = { venue: VENUE, member: { ...member, ...changes } }
  return withSignatures(signStatement(applicationStatement, body, keys.statementKey), alsoBy)
}

export function departureOf({ member }: Party, by: readonly StatementKey[] = [], key = coordinatorKey): Envelope {
  const { holder, statementKey } = member
  const body = { venue: VENUE, holder, statementKey, reason: 'its project has ended' }
  return withSignatures(signStatement(departureStatement, body, key), by)
}

/** The statement that enters a request, as a coordinator makes it that keeps to the rules, signed by these members. */
export function statementFor(registry: Registry, request: Envelope, by: readonly StatementKey[] = []): Envelope {
  const change = acceptedOf(examineRegistryRequest(registry, request, coordinatorKey.publicKey))
  return withSignatures(proposeRegistryStatement(registry, change, request, NOW, coordinatorKey), by)
}

export interface FoundedVenue {
  readonly registry: Registry
  readonly parties: readonly Party[]
  /** All registry statements so far. */
  readonly statements: readonly Envelope[]
}

/** A venue of these holders, admitted one after another with everybody's signatures. */
export async function foundVenue(...names: readonly string[]): Promise<FoundedVenue> {
  const parties: Party[] = []
  const statements: Envelope[] = []
  let registry = emptyRegistry(VENUE)
  for (const name of names) {
    const party = await createParty(name)
    const statement = statementFor(registry, applicationOf(party, keysOf(parties)), keysOf(parties))
    registry = acceptedOf(apply(registry, statement))
    statements.push(statement)
    parties.push(party)
  }
  return { registry, parties, statements }
}

export function apply(registry: Registry, statement: Envelope) {
  return applyRegistryStatement(registry, statement, coordinatorKey.publicKey)
}
