import type { Digest } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import type { Randomness } from '../../src/crypto/randomness.ts'
import type { MemberKeys } from '../../src/protocol/committee-member.ts'
import type { PayloadReference } from '../../src/protocol/contribution.ts'
import { signContribution } from '../../src/protocol/contributor.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import type { SegmentValues } from '../../src/protocol/segments.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'
import type { OutgoingPayload } from './outgoing-payload.ts'
import type { UpdateProtection } from './protect-update.ts'
import type { SentContributions } from './sent-contributions.ts'

export interface ContributionParts {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  /** The job's statement. */
  readonly job: Envelope
  readonly values: SegmentValues
  readonly protection: UpdateProtection
  readonly payload: OutgoingPayload
  readonly keys: MemberKeys
  readonly randomness: Randomness
  readonly sent: SentContributions
  readonly upload: (planDigest: Digest, source: PayloadSource, until: AbortSignal) => Promise<PayloadReference>
  /** The last chunk is protected, or no more are. */
  readonly onProtected: () => void
}

export interface MadeContribution {
  readonly envelope: Envelope
  readonly payload: PayloadReference
  /** Milliseconds spent on shares and signature. */
  readonly shareMs: number
}

/**
 * Protects, signs, keeps and uploads one contribution, which the journal has claimed. The ciphertext goes into the outbox as
 * fast as it is made, and from there to the coordinator as fast as the line is: so it is whole, signed, and its key gone,
 * long before a slow upload ends, and a holder that dies from then on goes on with it.
 */
export async function sendContribution(parts: ContributionParts): Promise<MadeContribution> {
  const { plan, planDigest, payload, upload } = parts
  const making = makeContribution(parts)
  // Both are waited for, whichever fails: what is whole can be sent when it is asked for again.
  const [made, uploaded] = await Promise.allSettled([making, upload(planDigest, payload, untilCollected(plan))])
  if (made.status === 'rejected') {
    await parts.sent.forget(planDigest)
    throw made.reason
  }
  if (uploaded.status === 'rejected') throw uploaded.reason
  return made.value
}

async function makeContribution(parts: ContributionParts): Promise<MadeContribution> {
  const { plan, planDigest, job, values, protection, keys, randomness, sent } = parts
  const payload = await parts.payload.fill(protection.chunks(values)).finally(parts.onProtected)
  const started = performance.now()
  const { coefficients } = protection.key
  const { holder, statementKey } = keys
  const { envelope, shares } = await signContribution(
    plan,
    planDigest,
    holder,
    coefficients,
    payload,
    statementKey,
    randomness,
  )
  await sent.keep(planDigest, { contribution: envelope, job, payload: parts.payload }, shares)
  return { envelope, payload, shareMs: performance.now() - started }
}

/** The longest time of a timer. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** Fires when the plan takes no more contributions. */
export function untilCollected({ collectUntil }: RoundPlan): AbortSignal {
  return AbortSignal.timeout(Math.min(Math.max(0, Date.parse(collectUntil) - Date.now()), TIMER_MS_MAX))
}
