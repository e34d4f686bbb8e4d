import type { CoordinatorRound } from '../protocol/coordinator-round.ts'
import { receiveContribution } from '../protocol/coordinator-round.ts'
import { askHolders } from './ask-holders.ts'
import type { NotedCheckpoint } from './logged-requests.ts'
import { noteRefusal, type RoundContext } from './round-context.ts'

/** Sends the plan, and takes in contributions until every holder has answered or the plan's time is over (§4.2). */
export async function collectContributions(
  planned: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  context: RoundContext,
): Promise<CoordinatorRound> {
  const { store, openRounds, clock, note, logged } = context
  const holders = planned.plan.cohort.map(({ holder }) => holder)
  const evidence = {
    plan: planned.planEnvelope,
    range: await logged.range(planned.plan.after.size, checkpoint),
    job: await logged.logged(context.job, checkpoint),
    publications: await Promise.all(context.publications.map((each) => logged.logged(each, checkpoint))),
    abandonments: context.abandonments,
  }
  const ask = (holder: string, signal: AbortSignal) =>
    logged.ask(holder, checkpoint, (known) => ({ kind: 'contribute', checkpoint: known, ...evidence }), signal)
  const timeLeftMs = Date.parse(planned.plan.collectUntil) - clock.now().getTime()
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(Math.max(0, timeLeftMs))])
  let round = planned
  for await (const { holder, verdict } of askHolders(holders, ask, signal)) {
    if (!verdict.ok || verdict.value.kind !== 'contribution') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const { envelope, uploaded } = verdict.value
    const received = receiveContribution(round, holder, envelope, uploaded, clock.now())
    if (!received.ok) {
      note({ holder, code: received.code, reason: received.reason })
      continue
    }
    await store.addContribution(round.planDigest, holder, received.value.contributions.get(holder)!)
    round = received.value
    openRounds.set(round)
    context.observer.contributed(holder, uploaded.bytes)
  }
  context.signal.throwIfAborted()
  return round
}
