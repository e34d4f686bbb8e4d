import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { abandonmentStatement } from './abandonment.ts'
import type { Objection, StatementSummary } from './audit-findings.ts'
import { enterCertificate, enterPublication, findWithoutHash } from './audit-outcome.ts'
import { AuditedQuestions } from './audit-questions.ts'
import {
  type AuditedRound,
  enterCandidates,
  enterDealing,
  enterManifest,
  enterShareCheck,
  explainFailure,
  type LoggedBody,
  nameOf,
  toLogged,
} from './audit-round.ts'
import { type Candidates, candidatesStatement } from './candidates.ts'
import { certificateStatement } from './certificate.ts'
import { dealingStatement } from './dealing.ts'
import { type Manifest, manifestStatement } from './manifest.ts'
import { type Publication, publicationStatement } from './publication.ts'
import { roundPlanStatement } from './round-plan.ts'
import { shareCheckStatement } from './share-check.ts'
import { parseStatement, readStatement, type StatementKind } from './statement.ts'

/** What the rules say of a statement, and the plan that it is about. */
export interface Judged {
  readonly plan?: Digest
  readonly objections: readonly Objection[]
}

type Rule = (envelope: Envelope) => Judged

/**
 * The rounds of a log: takes in what follows their plans, in order. A round that is over leaves its digest and how it ended.
 * Of an `unsound` round nothing more is looked at: its plan, or its candidates, are impossible. A coordinator that died before it
 * logged a plan may abandon it afterwards: `never-planned`.
 */
export class AuditedRounds {
  readonly #coordinatorKey: StatementPublicKey
  readonly #onPublished: (publication: Publication) => void
  readonly #rules: ReadonlyMap<string, Rule>
  readonly #open = new Map<Digest, AuditedRound>()
  readonly #over = new Map<Digest, 'published' | 'abandoned' | 'never-planned' | 'unsound'>()
  readonly #questions = new AuditedQuestions()
  readonly #exclusions: StatementSummary['exclusions'][number][] = []
  readonly #setAside: StatementSummary['setAside'][number][] = []
  #sumsWithAllHashes = 0

  constructor(coordinatorKey: StatementPublicKey, onPublished: (publication: Publication) => void) {
    this.#coordinatorKey = coordinatorKey
    this.#onPublished = onPublished
    this.#rules = new Map([
      this.#rule(candidatesStatement, 'coordinator', (round, candidates) => this.#enterCandidates(round, candidates)),
      this.#rule(shareCheckStatement, 'holder', enterShareCheck),
      this.#rule(dealingStatement, 'holder', enterDealing),
      this.#rule(manifestStatement, 'coordinator', (round, manifest) => this.#enterManifest(round, manifest)),
      this.#rule(certificateStatement, 'coordinator', enterCertificate),
      this.#rule(publicationStatement, 'coordinator', (round, publication) => this.#publish(round, publication)),
      this.#rule(abandonmentStatement, 'coordinator', (round) => this.#abandon(round)),
    ])
  }

  /** How a kind of statement is read, and what it does to an open round. A holder's signature is its round's to check. */
  #rule<T extends { readonly plan: Digest }>(
    kind: StatementKind<T>,
    signer: 'coordinator' | 'holder',
    enter: (round: AuditedRound, statement: LoggedBody<T>) => Objection[],
  ): [string, Rule] {
    const judge: Rule = (envelope) => {
      const isOurs = signer === 'coordinator'
      const read = isOurs ? readStatement(kind, envelope, this.#coordinatorKey) : parseStatement(kind, envelope)
      if (!read.ok) return { objections: [read] }
      const { plan } = read.value
      const round = this.#open.get(plan)
      const objections = round
        ? enter(round, toLogged(envelope, read.value))
        : this.#objectToPlace(plan, kind.payloadType)
      return { plan, objections }
    }
    return [kind.payloadType, judge]
  }

  /** The rule for statements of a type; undefined for those that are not of a round. */
  ruleOf(payloadType: string): Rule | undefined {
    return this.#rules.get(payloadType)
  }

  knows(planDigest: Digest): boolean {
    return this.#open.has(planDigest) || this.#over.has(planDigest)
  }

  /** Whether a plan that comes now was given up before. */
  wasGivenUp(planDigest: Digest): boolean {
    const end = this.#over.get(planDigest)
    return end === 'abandoned' || end === 'never-planned'
  }

  begin(round: AuditedRound): void {
    this.#open.set(round.planDigest, round)
    this.#questions.add(round)
  }

  /** Nothing more is said of what follows this plan. */
  dismiss(planDigest: Digest): void {
    const round = this.#open.get(planDigest)
    if (round) this.#questions.drop(round)
    this.#open.delete(planDigest)
    this.#over.set(planDigest, 'unsound')
  }

  get open(): readonly AuditedRound[] {
    return [...this.#open.values()]
  }

  summarise(): Pick<StatementSummary, 'rounds' | 'sumsWithAllHashes' | 'exclusions' | 'setAside'> {
    const over = [...this.#over.values()]
    const count = (end: string) => over.filter((each) => each === end).length
    return {
      rounds: { published: count('published'), abandoned: count('abandoned'), open: this.#open.size },
      sumsWithAllHashes: this.#sumsWithAllHashes,
      exclusions: this.#exclusions,
      setAside: this.#setAside,
    }
  }

  #enterCandidates(round: AuditedRound, candidates: LoggedBody<Candidates>): Objection[] {
    const isFirst = round.candidates === undefined
    const objections = enterCandidates(round, candidates)
    if (isFirst && objections.length > 0) this.dismiss(round.planDigest)
    return isFirst && objections.length === 0 ? this.#questions.checkCandidates(round) : objections
  }

  #enterManifest(round: AuditedRound, manifest: LoggedBody<Manifest>): Objection[] {
    const objections = enterManifest(round, manifest)
    if (round.manifest !== manifest) return objections
    const plan = round.planDigest
    const { excluded, setAside } = manifest.body
    this.#exclusions.push(...excluded.map((exclusion) => ({ plan, ...exclusion })))
    this.#setAside.push(...setAside.map((member) => ({ plan, member })))
    return objections
  }

  #publish(round: AuditedRound, publication: LoggedBody<Publication>): Objection[] {
    const objections = enterPublication(round, publication)
    this.#open.delete(round.planDigest)
    this.#over.set(round.planDigest, 'published')
    this.#onPublished(publication.body)
    const hasWrong = objections.some(({ code }) => code === 'bad-payload-hash')
    if (round.manifest && !hasWrong && findWithoutHash(round, publication.body).length === 0) this.#sumsWithAllHashes++
    return [...objections, ...this.#questions.publish(round)]
  }

  #abandon(round: AuditedRound): Objection[] {
    this.#questions.drop(round)
    this.#open.delete(round.planDigest)
    this.#over.set(round.planDigest, 'abandoned')
    return explainFailure(round)
  }

  /** Why a statement is not welcome for a plan that is not open. */
  #objectToPlace(plan: Digest, payloadType: string): Objection[] {
    const end = this.#over.get(plan)
    const isPublication = payloadType === publicationStatement.payloadType
    const isAbandonment = payloadType === abandonmentStatement.payloadType
    if (isAbandonment && (end === undefined || end === 'never-planned')) {
      this.#over.set(plan, 'never-planned')
      return []
    }
    if (end === undefined || end === 'never-planned') {
      const reason = `The ${nameOf(payloadType)} is of a plan that the log does not have before it.`
      return [{ code: 'plan-not-logged', reason, restsOn: [roundPlanStatement] }]
    }
    // The same end again says nothing new, and what follows an unsound plan is not looked at.
    if (end === 'unsound' || (end === 'abandoned' && isAbandonment)) return []
    if (isAbandonment || (isPublication && end === 'abandoned')) {
      const reason = 'The plan was published and abandoned: its question may have been answered over another set, too.'
      return [{ code: 'published-and-abandoned', reason }]
    }
    if (isPublication) return [{ code: 'second-publication', reason: 'The plan was published before.' }]
    if (end === 'published') {
      return [{ code: 'wrong-order', reason: `The ${nameOf(payloadType)} comes after the publication of its plan.` }]
    }
    return [{ code: 'after-abandonment', reason: `The ${nameOf(payloadType)} is of a plan that was abandoned before.` }]
  }
}
