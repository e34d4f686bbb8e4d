import { type Envelope, isSignedBy } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { isUsableBoxKey, isUsableStatementKey } from '../crypto/usable-keys.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Refusal } from './protocol-error.ts'
import type { Registry } from './registry.ts'
import { type Application, applicationStatement, departureStatement } from './registry-statements.ts'
import type { Member } from './round-plan.ts'
import { parseStatement } from './statement.ts'

/** What a request would change. */
export type RegistryChange =
  /** `replaces` is the entry of a member that asks for other keys. */
  | { readonly kind: 'admission'; readonly member: Member; readonly replaces?: Member }
  | { readonly kind: 'revocation'; readonly member: Member; readonly reason: string }

/**
 * What an application or a departure asks for, if the registry could enter it: everything but the approval of the members.
 * Refusals: those of `parseStatement`, `registry-out-of-order` (another venue), `unusable-key`, `already-admitted`,
 * `not-a-member`, `bad-signature` when those who must have signed it have not.
 */
export function examineRegistryRequest(
  registry: Registry,
  request: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<RegistryChange, Refusal> {
  return request.payloadType === departureStatement.payloadType
    ? examineDeparture(registry, request, coordinatorKey)
    : examineApplication(registry, request, coordinatorKey)
}

/**
 * What an application says, with keys that can be used, and signed with the statement key that it names; whether a registry
 * could enter it is another question. Refusals: those of `parseStatement`, `unusable-key`, `bad-signature`.
 */
export function readApplication(request: Envelope): Verdict<Application, Refusal> {
  const read = parseStatement(applicationStatement, request)
  if (!read.ok) return read
  const { holder, statementKey, boxKey } = read.value.member
  // Before any signature: under a key of small order anybody's is one.
  if (!isUsableStatementKey(statementKey)) {
    return refused('unusable-key', `The statement key of ${holder} is no usable Ed25519 key.`)
  }
  if (!isUsableBoxKey(boxKey)) return refused('unusable-key', `The box key of ${holder} is no usable X25519 key.`)
  if (isSignedBy(request, statementKey)) return read
  return refused('bad-signature', `${holder} has not signed its application with the key that it brings.`)
}

/** {@link examineRegistryRequest} of an application alone: what a newcomer, or a member with new keys, may send. */
export function examineApplication(
  registry: Registry,
  request: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<Extract<RegistryChange, { kind: 'admission' }>, Refusal> {
  const read = readApplication(request)
  if (!read.ok) return read
  const { venue, member } = read.value
  if (venue !== registry.venue) return otherVenue(venue, registry)
  // The coordinator's one signature would count as its own and as this member's.
  if (member.statementKey === coordinatorKey) {
    return refused('unusable-key', `${member.holder} brings the coordinator's statement key.`)
  }
  const replaces = registry.members.get(member.holder)
  const taken = findTaken(registry, member, replaces)
  if (taken) return refused('already-admitted', taken)
  if (replaces && !isSignedBy(request, replaces.statementKey)) {
    return refused('bad-signature', `${member.holder} has not signed for its new keys with its present one.`)
  }
  return accepted({ kind: 'admission', member, ...(replaces && { replaces }) })
}

function examineDeparture(
  registry: Registry,
  request: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<RegistryChange, Refusal> {
  const read = parseStatement(departureStatement, request)
  if (!read.ok) return read
  const { venue, holder, statementKey, reason } = read.value
  if (venue !== registry.venue) return otherVenue(venue, registry)
  const member = registry.members.get(holder)
  if (member?.statementKey !== statementKey) {
    return refused('not-a-member', `${holder} is no member of ${venue}, or is one under another key.`)
  }
  if (!isSignedBy(request, coordinatorKey) && !isSignedBy(request, statementKey)) {
    return refused('bad-signature', `Neither the coordinator nor ${holder} has signed the departure.`)
  }
  return accepted({ kind: 'revocation', member, reason })
}

function otherVenue(venue: string, registry: Registry): Verdict<never, Refusal> {
  return refused('registry-out-of-order', `A request to ${venue} is none to ${registry.venue}.`)
}

/** Why name, organisation or keys are not free; a member may keep one of its two keys. */
function findTaken(registry: Registry, member: Member, replaces: Member | undefined): string | undefined {
  const { holder, organisation } = member
  const known = registry.names.get(holder)
  if (known !== undefined && known !== organisation) return `${holder} is a name of ${known}.`
  const likeness = lookOf(organisation)
  const alike = [...registry.names.values()].find((other) => other !== organisation && lookOf(other) === likeness)
  if (alike) return `${organisation} is written ${alike} in this venue.`
  const isKept = (key: string) => key === replaces?.statementKey || key === replaces?.boxKey
  if (isKept(member.statementKey) && isKept(member.boxKey)) return `${holder} is a member under these keys.`
  const used = [member.statementKey, member.boxKey].find((key) => registry.keys.has(key) && !isKept(key))
  return used && `The key ${used.slice(0, 16)}… is, or was, in this registry.`
}

/** Spellings that one reader takes for the same are one organisation, or it would count twice. */
function lookOf(organisation: string): string {
  return organisation.normalize('NFKC').toLowerCase()
}
