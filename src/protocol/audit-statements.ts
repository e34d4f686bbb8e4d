import type { Digest } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import type { LogEntry } from '../log/log-entry.ts'
import type { Finding, Objection, StatementSummary } from './audit-findings.ts'
import { LogPast } from './audit-past.ts'
import { checkJob, checkMembers, checkPlace, isSameMember, type JobHistory, type JobReader } from './audit-plan.ts'
import { RegistryHistory } from './audit-registry.ts'
import { explainFailure } from './audit-round.ts'
import { AuditedRounds, type Judged } from './audit-rounds.ts'
import { questionOf } from './question.ts'
import type { Registry } from './registry.ts'
import { membershipStatement, revocationStatement } from './registry-statements.ts'
import { checkPlanConsistency, countOrganisations, type RoundPlan, roundPlanStatement } from './round-plan.ts'
import { readStatement } from './statement.ts'

/** Whose log it is, and whose statements are in it. */
export interface StatementAuditParts {
  readonly venue: string
  readonly coordinatorKey: StatementPublicKey
  readonly jobs: JobReader
}

const REGISTRY_KINDS = [membershipStatement, revocationStatement] as const

/**
 * Audits what a log says, statement by statement from the first (docs/adr/0009 to 0011): whether everybody who signed kept to
 * the rules, as far as the log shows. It sees what every member and holder sees together, and the whole order. It does not
 * see contributions, share sums and ciphertexts, which are not in the log, nor whether a sum is right: the holders of a
 * round verify that.
 *
 * Nothing that follows an impossible plan, or impossible candidates, is looked at: on nothing of such a round can anybody
 * rely. Memory: 32 bytes an entry, the registry's past, some hundred bytes for each round, and open rounds whole.
 */
export class StatementAudit {
  readonly #parts: StatementAuditParts
  readonly #registry: RegistryHistory
  readonly #rounds: AuditedRounds
  readonly #past = new LogPast()
  readonly #jobs = new Map<Digest, JobHistory>()
  /** Round numbers by job. */
  readonly #numbers = new Map<Digest, Set<number>>()
  /** Types of statements whose payload was not here. */
  readonly #missing = new Set<string>()

  constructor(parts: StatementAuditParts) {
    this.#parts = parts
    this.#registry = new RegistryHistory(parts.venue)
    this.#rounds = new AuditedRounds(parts.coordinatorKey, ({ job, output }) => {
      this.#jobs.get(job)?.outputs.add(`${output.name} ${output.digest}`)
    })
  }

  /** As of the last entry: the members whose cosignatures count. */
  get registry(): Registry {
    return this.#registry.registry
  }

  /**
   * Takes in the entry at the next position, and says what is wrong with it. Does not throw, whatever the entry says.
   * @param entry detached only when its payload is not to be had: then nothing can be said of it
   * @param leaf leaf hash of the entry as the log has it, 32 bytes
   */
  add(position: number, entry: LogEntry, leaf: Uint8Array): Finding[] {
    const { plan, objections } = this.#judge(position, entry)
    this.#past.add(leaf)
    return objections.map((objection) => this.#toFinding(position, objection, plan))
  }

  /** What is left open, and what it all comes to. */
  end(): { readonly findings: readonly Finding[]; readonly summary: StatementSummary } {
    const findings = this.#rounds.open.flatMap((round) => {
      const { position, planDigest, plan } = round
      const reason = `Round ${plan.round} is neither published nor abandoned.`
      const remarks: Objection[] = [{ code: 'round-open', reason, severity: 'remark' }, ...explainFailure(round)]
      return remarks.map((remark) => this.#toFinding(position, remark, planDigest))
    })
    const members = [...this.registry.members.values()].sort((a, b) => (a.holder < b.holder ? -1 : 1))
    const summary = {
      members: members.map(({ holder, organisation }) => ({ holder, organisation })),
      organisations: countOrganisations(members),
      jobs: this.#jobs.size,
      ...this.#rounds.summarise(),
    }
    return { findings, summary }
  }

  /** Where an unreadable statement may be the one that is wanting, nobody is accused. */
  #toFinding(position: number, objection: Objection, plan?: Digest): Finding {
    const { code, reason, holder, severity, restsOn = [] } = objection
    const isUnsure = restsOn.some(({ payloadType }) => this.#missing.has(payloadType))
    return {
      severity: severity ?? (isUnsure ? 'remark' : 'fault'),
      position,
      code,
      reason: isUnsure ? `${reason} A statement whose payload is not here may say otherwise.` : reason,
      ...(plan && { plan }),
      ...(holder && { holder }),
    }
  }

  #judge(position: number, entry: LogEntry): Judged {
    const rule = this.#ruleOf(entry.payloadType)
    if (!rule) {
      return { objections: [{ code: 'unknown-kind', reason: 'No statement of this kind belongs into the log.' }] }
    }
    if (entry.kind === 'whole') return rule(entry, position)
    this.#missing.add(entry.payloadType)
    const reason = `The payload ${entry.payloadSha256} is not here: without it nothing can be said of this statement.`
    return { objections: [{ code: 'payload-missing', reason }] }
  }

  #ruleOf(payloadType: string): ((envelope: Envelope, position: number) => Judged) | undefined {
    if (REGISTRY_KINDS.some((kind) => kind.payloadType === payloadType)) return (each) => this.#enterMember(each)
    if (payloadType === this.#parts.jobs.payloadType) return (envelope) => this.#enterJob(envelope)
    if (payloadType === roundPlanStatement.payloadType) return (each, position) => this.#enterPlan(each, position)
    return this.#rounds.ruleOf(payloadType)
  }

  #enterMember(envelope: Envelope): Judged {
    const applied = this.#registry.apply(envelope, this.#parts.coordinatorKey)
    return { objections: applied.ok ? [] : [{ ...applied, restsOn: REGISTRY_KINDS }] }
  }

  #enterJob(envelope: Envelope): Judged {
    const read = this.#parts.jobs.read(envelope, this.#parts.coordinatorKey)
    if (!read.ok) return { objections: [read] }
    const digest = statementDigest(envelope)
    if (!this.#jobs.has(digest)) this.#jobs.set(digest, { job: read.value, outputs: new Set() })
    return { objections: [] }
  }

  #enterPlan(envelope: Envelope, position: number): Judged {
    const read = readStatement(roundPlanStatement, envelope, this.#parts.coordinatorKey)
    if (!read.ok) return { objections: [read] }
    const planDigest = statementDigest(envelope)
    const repeated = this.#claimNumber(read.value)
    if (this.#rounds.knows(planDigest)) {
      const given: Objection = { code: 'after-abandonment', reason: 'The plan was abandoned before.' }
      return { plan: planDigest, objections: this.#rounds.wasGivenUp(planDigest) ? [given] : repeated }
    }
    const consistent = checkPlanConsistency(read.value)
    if (!consistent.ok) {
      this.#rounds.dismiss(planDigest)
      return { plan: planDigest, objections: [...repeated, consistent] }
    }
    const plan = this.#withKnownMembers(read.value)
    this.#rounds.begin({
      position,
      planDigest,
      plan,
      question: questionOf(plan),
      checks: new Map(),
      dealings: new Map(),
      lateDealings: new Map(),
      certified: false,
    })
    return {
      plan: planDigest,
      objections: [
        ...repeated,
        ...this.#checkJob(plan),
        ...checkMembers(plan, this.#registry),
        ...checkPlace(plan, this.#past),
      ],
    }
  }

  #claimNumber({ job, round }: RoundPlan): Objection[] {
    const numbers = this.#numbers.get(job) ?? new Set()
    this.#numbers.set(job, numbers)
    if (numbers.has(round)) {
      return [{ code: 'repeated-round', reason: `The job has a round ${round} already: a committee is drawn once.` }]
    }
    numbers.add(round)
    return []
  }

  #checkJob(plan: RoundPlan): Objection[] {
    const history = this.#jobs.get(plan.job)
    if (history) return checkJob(plan, history)
    const restsOn = [{ payloadType: this.#parts.jobs.payloadType }]
    return [{ code: 'job-not-logged', reason: 'The plan is of a job that the log does not have before it.', restsOn }]
  }

  /** Open rounds share the registry's members, so that many of them over a large cohort do not fill the memory. */
  #withKnownMembers(plan: RoundPlan): RoundPlan {
    const { members } = this.registry
    const cohort = plan.cohort.map((member) => {
      const known = members.get(member.holder)
      return known && isSameMember(known, member) ? known : member
    })
    return { ...plan, cohort }
  }
}
