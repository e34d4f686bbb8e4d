import { type Digest, digestOf } from '../crypto/digest.ts'
import { type Envelope, isSignedBy, statementDigest } from '../crypto/envelope.ts'
import type { StatementKey, StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { committeeThreshold } from './committee.ts'
import type { Refusal } from './protocol-error.ts'
import { examineRegistryRequest, type RegistryChange } from './registry-request.ts'
import { embedStatement, extractStatement, membershipStatement, revocationStatement } from './registry-statements.ts'
import type { Member } from './round-plan.ts'
import { readStatement, signStatement } from './statement.ts'

/**
 * Who belongs to a venue, after `sequence` registry statements. A value: applying a statement gives another one. Public.
 */
export interface Registry {
  readonly venue: string
  /** How many statements have been applied. */
  readonly sequence: number
  /** Digest of the last of them. */
  readonly head?: Digest
  readonly members: ReadonlyMap<string, Member>
  /** Every name that ever was a member's, and its organisation: no name comes back in another's hands. */
  readonly names: ReadonlyMap<string, string>
  /** Every statement key and box key that ever was a member's: none comes back at all, or an old application would bring it. */
  readonly keys: ReadonlySet<string>
}

const EMPTY_HEAD = digestOf(Buffer.from('sluice/v1/empty-registry\0'))

export function emptyRegistry(venue: string): Registry {
  return { venue, sequence: 0, members: new Map(), names: new Map(), keys: new Set() }
}

/** What names this state of the registry: the digest of its last statement; SHA-256("sluice/v1/empty-registry" NUL) of an empty one. */
export function registryHead({ head }: Registry): Digest {
  return head ?? EMPTY_HEAD
}

/**
 * How many organisations must sign: ⌊2n/3⌋+1 of the n that have a say, none when nobody has. Of a new holder all of the
 * venue have one; of a member, its keys or its departure, the others: it has signed already, or is what is decided about.
 * @param holder whom the statement is about; a new one unless told
 */
export function admissionQuorum(registry: Registry, holder?: string): number {
  const { size } = organisationsWithSay(registry, holder)
  return size === 0 ? 0 : committeeThreshold(size)
}

function organisationsWithSay({ members }: Registry, holder: string | undefined): Map<string, Member[]> {
  const subject = holder === undefined ? undefined : members.get(holder)
  const voters = [...members.values()].filter(({ organisation }) => organisation !== subject?.organisation)
  return Map.groupBy(voters, ({ organisation }) => organisation)
}

/** The organisations with a say that signed an envelope: one with several nodes once, the holder's own not at all. */
export function signingOrganisations(registry: Registry, holder: string, envelope: Envelope): string[] {
  const organisations = [...organisationsWithSay(registry, holder)]
  return organisations.flatMap(([organisation, nodes]) =>
    nodes.some(({ statementKey }) => isSignedBy(envelope, statementKey)) ? [organisation] : [],
  )
}

/** @returns what is wanting, for people; undefined when a quorum has signed */
function missingQuorum(registry: Registry, { member }: RegistryChange, envelope: Envelope): string | undefined {
  const signed = signingOrganisations(registry, member.holder, envelope).length
  const quorum = admissionQuorum(registry, member.holder)
  return signed < quorum ? `${signed} organisations have signed it; ${quorum} must.` : undefined
}

/**
 * Whether the members want this change: a quorum has signed the request. Further, who brings another node of an organisation
 * has that organisation's own signature, or its voice would be in a stranger's hands; a holder leaves by its own
 * signature, and nobody is put out by the coordinator alone. Refusal: `quorum-not-met`.
 */
export function checkApproval(
  registry: Registry,
  change: RegistryChange,
  request: Envelope,
): Verdict<RegistryChange, Refusal> {
  const { member } = change
  if (change.kind === 'revocation') {
    if (isSignedBy(request, member.statementKey)) return accepted(change)
    if (admissionQuorum(registry, member.holder) === 0) {
      return refused('quorum-not-met', `Only ${member.holder} itself can leave: there is no other organisation.`)
    }
  }
  const missing = missingQuorum(registry, change, request)
  if (missing) return refused('quorum-not-met', `${member.holder}: ${missing}`)
  const siblings = [...registry.members.values()].filter(({ organisation }) => organisation === member.organisation)
  const isNewNode = change.kind === 'admission' && !change.replaces
  if (isNewNode && siblings.length > 0 && !siblings.some(({ statementKey }) => isSignedBy(request, statementKey))) {
    return refused(
      'quorum-not-met',
      `${member.organisation} has not signed for ${member.holder}, which bears its name.`,
    )
  }
  return accepted(change)
}

/** A registry statement, taken apart. */
interface ReadStatement {
  readonly venue: string
  readonly sequence: number
  readonly previous?: Digest
  /** The application or departure that it enters. */
  readonly request: Envelope
}

/** Body of a registry statement that the coordinator signed. Refusals: those of `readStatement`. */
export function readRegistryStatement(
  envelope: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<ReadStatement, Refusal> {
  if (envelope.payloadType === revocationStatement.payloadType) {
    const read = readStatement(revocationStatement, envelope, coordinatorKey)
    return read.ok ? accepted({ ...read.value, request: extractStatement(read.value.departure) }) : read
  }
  const read = readStatement(membershipStatement, envelope, coordinatorKey)
  return read.ok ? accepted({ ...read.value, request: extractStatement(read.value.application) }) : read
}

/**
 * What a member checks before it signs a registry statement: everything but the quorum of signatures on the statement
 * itself. The request within it has its quorum, so nobody needs to be asked again, and no single member can hold the next
 * statement up.
 */
export function examineRegistryStatement(
  registry: Registry,
  envelope: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<RegistryChange, Refusal> {
  const read = readRegistryStatement(envelope, coordinatorKey)
  if (!read.ok) return read
  const { venue, sequence, previous, request } = read.value
  const isNext = venue === registry.venue && sequence === registry.sequence + 1 && previous === registry.head
  if (!isNext) {
    return refused(
      'registry-out-of-order',
      `Statement ${sequence} of ${venue} does not follow statement ${registry.sequence} of ${registry.venue}.`,
    )
  }
  const wanted = envelope.payloadType === revocationStatement.payloadType ? 'revocation' : 'admission'
  const change = examineRegistryRequest(registry, request, coordinatorKey)
  if (!change.ok) return change
  if (change.value.kind !== wanted) {
    return refused('wrong-statement-type', `A statement of ${wanted} holds a request for ${change.value.kind}.`)
  }
  return checkApproval(registry, change.value, request)
}

/**
 * The registry with one more statement, or why it is refused: by {@link examineRegistryStatement}, or `quorum-not-met`
 * when too few organisations have signed that this and no other statement is the next.
 */
export function applyRegistryStatement(
  registry: Registry,
  envelope: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<Registry, Refusal> {
  const change = examineRegistryStatement(registry, envelope, coordinatorKey)
  if (!change.ok) return change
  const missing = missingQuorum(registry, change.value, envelope)
  if (missing) return refused('quorum-not-met', `Registry statement ${registry.sequence + 1}: ${missing}`)
  return accepted(withChange(registry, change.value, statementDigest(envelope)))
}

function withChange(
  { venue, sequence, ...before }: Registry,
  { kind, member }: RegistryChange,
  head: Digest,
): Registry {
  const members = new Map(before.members)
  if (kind === 'revocation') members.delete(member.holder)
  else members.set(member.holder, member)
  return {
    venue,
    sequence: sequence + 1,
    head,
    members,
    names: new Map(before.names).set(member.holder, member.organisation),
    keys: new Set(before.keys).add(member.statementKey).add(member.boxKey),
  }
}

/** The next registry statement: an approved request in its place, signed by the coordinator alone so far. */
export function proposeRegistryStatement(
  { venue, sequence, head }: Registry,
  { kind }: RegistryChange,
  request: Envelope,
  at: Date,
  key: StatementKey,
): Envelope {
  const place = { venue, sequence: sequence + 1, ...(head && { previous: head }) }
  return kind === 'revocation'
    ? signStatement(
        revocationStatement,
        { ...place, departure: embedStatement(request), revokedAt: at.toISOString() },
        key,
      )
    : signStatement(
        membershipStatement,
        { ...place, application: embedStatement(request), admittedAt: at.toISOString() },
        key,
      )
}
