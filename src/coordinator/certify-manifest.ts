import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { certificateStatement, endorsementsOf } from '../protocol/certificate.ts'
import { type CoordinatorRound, receiveEndorsement } from '../protocol/coordinator-round.ts'
import { signStatement } from '../protocol/statement.ts'
import { askHolders } from './ask-holders.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { askOnLog, dutySignal, type LogEvidence, noteRefusal, type RoundContext } from './round-context.ts'

/** Asks the committee to sign the manifest; t signatures are the certificate (§4.4). */
export async function certifyManifest(
  sealed: CoordinatorRound,
  evidence: LogEvidence,
  context: RoundContext,
): Promise<CoordinatorRound> {
  const { planDigest } = sealed
  const manifest = logForm(sealed.manifest!)
  const ask = askOnLog(sealed, evidence, context, (shown) => ({ kind: 'endorse', planDigest, manifest, ...shown }))
  let round = sealed
  for await (const { holder, verdict } of askHolders(round.plan.committee.members, ask, dutySignal(context))) {
    if (!verdict.ok || verdict.value.kind !== 'endorsement') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const received = receiveEndorsement(round, holder, verdict.value.signature)
    if (received.ok) round = received.value
    else context.note({ holder, code: received.code, reason: received.reason })
    if (round.phase === 'certified') break
  }
  if (round.phase !== 'certified') {
    const { members, threshold } = round.plan.committee
    const endorsements = round.manifest!.signatures.length - 1
    throw new CoordinatorError(
      'round-abandoned',
      `${endorsements} of ${members.length} members endorsed the manifest; ${threshold} are needed.`,
    )
  }
  await context.store.setRoundPhase(round.planDigest, 'certified', { manifest: round.manifest })
  context.openRounds.set(round)
  return round
}

/** A manifest as it was logged: with the coordinator's signature, the first, alone. */
export function logForm(manifest: Envelope): Envelope {
  return { ...manifest, signatures: manifest.signatures.slice(0, 1) }
}

/** Puts into the log who endorsed; for auditors, nobody in the round waits for it. */
export function logCertificate({ plan, planDigest, manifest }: CoordinatorRound, { logged, key }: RoundContext) {
  const body = { plan: planDigest, manifest: statementDigest(manifest!), endorsements: endorsementsOf(plan, manifest!) }
  return logged.append([signStatement(certificateStatement, body, key)])
}
