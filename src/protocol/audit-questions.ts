import { type Digest, digestOf } from '../crypto/digest.ts'
import { abandonmentStatement } from './abandonment.ts'
import type { Objection } from './audit-findings.ts'
import type { AuditedRound } from './audit-round.ts'

interface Question {
  /** Rounds that may still be opened, or may have been without being published. */
  readonly live: Set<AuditedRound>
  /** Digest of the names of the first set whose sum was published. */
  publishedSet?: Digest
}

/**
 * Which rounds ask one question (docs/adr/0009): two sums over different sets that answer it differ by what single holders
 * gave.
 */
export class AuditedQuestions {
  readonly #questions = new Map<Digest, Question>()

  add(round: AuditedRound): void {
    const known = this.#questions.get(round.question)
    if (known) known.live.add(round)
    else this.#questions.set(round.question, { live: new Set([round]) })
  }

  /** Holders that contributed to an earlier round of the question, which was not abandoned, and contribute again. */
  checkCandidates(round: AuditedRound): Objection[] {
    const earlier = [...this.#questions.get(round.question)!.live].filter((other) => other !== round)
    const asked = new Set(earlier.flatMap(({ candidates }) => namesOf(candidates?.body.contributions ?? [])))
    const again = namesOf(round.candidates!.body.contributions).filter((holder) => asked.has(holder))
    if (again.length === 0) return []
    const reason = `${again.join(', ')} contributed to an earlier round of this question, which was not abandoned.`
    return [{ code: 'question-asked-again', reason, holder: again[0], restsOn: [abandonmentStatement] }]
  }

  /** The round is published. */
  publish(round: AuditedRound): Objection[] {
    const question = this.#questions.get(round.question)!
    question.live.delete(round)
    const names = namesOf(round.manifest?.body.contributions ?? []).sort()
    const set = digestOf(Buffer.from(JSON.stringify(names), 'utf8'))
    question.publishedSet ??= set
    if (question.publishedSet === set) return []
    const reason =
      'Another round answered this question over another set: the difference of the two sums is that of few.'
    return [{ code: 'question-answered-twice', reason }]
  }

  /** The round will never be opened. */
  drop(round: AuditedRound): void {
    const question = this.#questions.get(round.question)!
    question.live.delete(round)
    if (question.live.size === 0 && question.publishedSet === undefined) this.#questions.delete(round.question)
  }
}

const namesOf = (contributions: readonly { readonly holder: string }[]) => contributions.map(({ holder }) => holder)
