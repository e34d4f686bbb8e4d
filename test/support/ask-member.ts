import { fromHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { combineShare, expandShareChallenge } from '../../src/crypto/share-check.ts'
import { type Abandonment, abandonmentStatement } from '../../src/protocol/abandonment.ts'
import { type Candidates, candidatesStatement } from '../../src/protocol/candidates.ts'
import {
  answerCertificate,
  checkShares,
  endorseManifest,
  giveUpRound,
  type MemberRound,
} from '../../src/protocol/committee-member.ts'
import { contributionStatement } from '../../src/protocol/contribution.ts'
import type { CoordinatorRound } from '../../src/protocol/coordinator-round.ts'
import type { RoundLog } from '../../src/protocol/round-log.ts'
import { type ShareCheck, shareCheckStatement } from '../../src/protocol/share-check.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  coordinatorKey,
  logOfRound,
  type MadeContribution,
  memberRound,
  NOW,
  type Party,
  seedOf,
  sharesOf,
} from './round-fixtures.ts'
import { roundLogOf } from './test-log.ts'

/** A coordinator, honest or not, that asks a member for what its duty is; and a member that does it without asking anything. */

type Remembered = Partial<Omit<MemberRound, 'plan' | 'planDigest'>>
type Planned = Pick<CoordinatorRound, 'plan' | 'planDigest' | 'planEnvelope'>

export const envelopesOf = (contributions: readonly MadeContribution[]) => contributions.map(({ envelope }) => envelope)

/** What a log says that has these statements after the plan; whoever runs the log chooses them. */
export function logOfStatements(
  { plan, planEnvelope }: Planned,
  ...statements: readonly Envelope[]
): Promise<RoundLog> {
  return roundLogOf(plan, planEnvelope, statements, coordinatorKey.publicKey)
}

/** Candidates that a coordinator signs over any set of contributions it likes. */
export function forgeCandidates(
  { planDigest }: Planned,
  contributions: readonly MadeContribution[],
  changes: Partial<Candidates> = {},
): Envelope {
  const sorted = [...contributions].sort((a, b) => (a.holder < b.holder ? -1 : 1))
  const body = {
    plan: planDigest,
    contributions: sorted.map(({ holder, envelope, payload }) => ({
      holder,
      contribution: statementDigest(envelope),
      payload: payload.digest,
    })),
    nonce: Buffer.from(seedOf('another nonce')).toString('hex'),
    closedAt: NOW.toISOString(),
    ...changes,
  }
  return signStatement(candidatesStatement, body, coordinatorKey)
}

export function askToCheck(
  round: Planned,
  candidates: Envelope,
  log: RoundLog,
  contributions: readonly MadeContribution[],
  party: Party,
  remembered: Remembered = {},
) {
  const known = memberRound(round, remembered)
  const { publicKey } = coordinatorKey
  return checkShares(known, candidates, log, envelopesOf(contributions), publicKey, party.keys, sharesOf(round, party))
}

/** @param log the round's own, with this manifest in it, unless told */
export async function askToEndorse(
  round: CoordinatorRound,
  manifest: Envelope,
  contributions: readonly MadeContribution[],
  party: Party,
  remembered: Remembered = {},
  log?: RoundLog,
) {
  const known = memberRound(round, remembered)
  const says = log ?? (await logOfRound({ ...round, manifest }))
  return endorseManifest(known, manifest, says, envelopesOf(contributions), coordinatorKey.publicKey, party.keys)
}

export function askToAnswer(
  round: Planned,
  certificate: Envelope,
  contributions: readonly MadeContribution[],
  party: Party,
  remembered: Remembered = {},
) {
  const known = memberRound(round, remembered)
  const { publicKey } = coordinatorKey
  const shares = sharesOf(round, party)
  return answerCertificate(known, certificate, envelopesOf(contributions), publicKey, party.keys, shares)
}

export function askToGiveUp(round: Planned, abandonment: Envelope, party: Party, remembered: Remembered = {}) {
  return giveUpRound(memberRound(round, remembered), abandonment, coordinatorKey.publicKey, party.keys)
}

export function abandonmentOf(
  { planDigest }: Planned,
  changes: Partial<Abandonment> = {},
  key = coordinatorKey,
): Envelope {
  const body = { plan: planDigest, reason: 'a member is away', abandonedAt: NOW.toISOString(), ...changes }
  return signStatement(abandonmentStatement, body, key)
}

/** A member's check of a set, computed without asking any guard. @param changes lies that it tells */
export async function checkWithoutGuards(
  round: Planned,
  candidates: Envelope,
  contributions: readonly MadeContribution[],
  party: Party,
  changes: (check: ShareCheck) => ShareCheck = (check) => check,
): Promise<Envelope> {
  const digest = statementDigest(candidates)
  const challenge = expandShareChallenge(fromHex(digest))
  const { keys } = party
  const body = acceptedOf(parseStatement(candidatesStatement, candidates))
  const listed = body.contributions.map(
    ({ contribution }) => contributions.find(({ envelope }) => statementDigest(envelope) === contribution)!,
  )
  const shares = await sharesOf(
    round,
    party,
  )(listed.map(({ envelope }) => acceptedOf(parseStatement(contributionStatement, envelope))))
  const holders = listed.map(({ holder }) => holder)
  const check: ShareCheck = {
    plan: round.planDigest,
    candidates: digest,
    member: keys.holder,
    combinations: holders.flatMap((holder) => {
      const share = shares.get(holder)
      return share ? [{ holder, values: [...combineShare(share, challenge)] }] : []
    }),
    unopenable: holders.filter((holder) => !shares.has(holder)),
  }
  return signStatement(shareCheckStatement, changes(check), keys.statementKey)
}

/** A check that complains about one candidate instead of combining its share. */
export function complaintAbout(check: ShareCheck, victim: string): ShareCheck {
  return {
    ...check,
    combinations: check.combinations.filter(({ holder }) => holder !== victim),
    unopenable: [...check.unopenable, victim],
  }
}
