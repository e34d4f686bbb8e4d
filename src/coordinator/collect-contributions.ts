import type { CollectionRule } from '../learning/job-specification.ts'
import { type CoordinatorRound, receiveContribution } from '../protocol/coordinator-round.ts'
import { countOrganisations, findMember } from '../protocol/round-plan.ts'
import { refused } from '../sluice-error.ts'
import { type AskHolder, askHolders, type HolderAnswer } from './ask-holders.ts'
import type { LoggedRequest, NotedCheckpoint } from './logged-requests.ts'
import { cosign, noteRefusal, type RoundContext } from './round-context.ts'

/**
 * Sends the plan to those whose contribution is not stored yet, and takes in contributions until every holder has answered, the
 * plan's time is over, or the job's rule closes the collection (§4.2, docs/adr/0015). A holder that another life of this process
 * has asked answers the same plan with the same contribution.
 */
export async function collectContributions(
  planned: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  context: RoundContext,
): Promise<CoordinatorRound> {
  const { store, openRounds, clock, note } = context
  const holders = planned.plan.cohort.map(({ holder }) => holder).filter((name) => !planned.contributions.has(name))
  const timeLeftMs = Date.parse(planned.plan.collectUntil) - clock.now().getTime()
  // Its time was over while nobody carried it on: it closes with what it has.
  if (timeLeftMs <= 0) return planned
  using closing = new Closing(context.collection)
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(timeLeftMs), closing.signal])
  let round = planned
  closing.consider(round)
  for await (const answer of askHolders(holders, await askForContribution(planned, checkpoint, context), signal)) {
    const { holder, verdict } = closing.nameLate(answer)
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
    closing.consider(round)
  }
  context.signal.throwIfAborted()
  return round
}

/** Asks a holder for its contribution. */
async function askForContribution(
  round: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  context: RoundContext,
): Promise<AskHolder> {
  const renew = async () =>
    contributeRequest(round, await cosign(round, await context.logged.catchUp(), context), context)
  return context.logged.askOnLatest(await contributeRequest(round, checkpoint, context), renew)
}

/** The request with all that a holder holds the plan against. */
async function contributeRequest(
  { plan, planEnvelope }: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  { logged, job, publications, abandonments }: RoundContext,
): Promise<LoggedRequest> {
  const evidence = {
    plan: planEnvelope,
    range: await logged.range(plan.after.size, checkpoint),
    job: await logged.logged(job, checkpoint),
    publications: await Promise.all(publications.map((each) => logged.logged(each, checkpoint))),
    abandonments,
  }
  return { checkpoint, make: (known) => ({ kind: 'contribute', checkpoint: known, ...evidence }) }
}

/**
 * Ends a collection `graceMs` after the contribution that makes the quorum; never, for a job without a rule. Fewer organisations
 * than the plan demands are no quorum, however many contributions they give.
 */
class Closing {
  readonly signal: AbortSignal
  readonly #over = new AbortController()
  readonly #rule: CollectionRule | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(rule: CollectionRule | undefined) {
    this.#rule = rule
    this.signal = this.#over.signal
  }

  consider({ plan, contributions }: CoordinatorRound): void {
    if (!this.#rule || this.#timer || contributions.size < this.#rule.quorum) return
    const organisations = countOrganisations([...contributions.keys()].map((holder) => findMember(plan, holder)!))
    if (organisations < plan.minContributors) return
    this.#timer = setTimeout(() => this.#over.abort(), this.#rule.graceMs)
  }

  /** Who was waited for when the collection closed is late, and not one that the plan's time is over for. */
  nameLate(answer: HolderAnswer): HolderAnswer {
    const { holder, verdict } = answer
    if (!this.signal.aborted || verdict.ok || verdict.code !== 'deadline-passed') return answer
    const reason = `The round closed with its quorum before ${holder} answered: a later contribution is refused.`
    return { holder, verdict: refused('collection-closed', reason) }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
