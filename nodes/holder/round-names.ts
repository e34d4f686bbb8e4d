import { type Digest, isDigest } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'
import { roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import type { HolderJournal } from './journal.ts'

/** What lines and spans call a round. Of a request that has not been examined yet it is what the request says of itself. */
export interface RoundNames {
  readonly plan?: Digest
  readonly job?: Digest
  readonly round?: number
}

/** Rounds whose names are kept. */
const KEPT = 16

/** Names the round that a request belongs to, for those who watch; nothing else rests on it. */
export class RoundNamer {
  readonly #journal: Pick<HolderJournal, 'find'>
  readonly #known = new Map<Digest, RoundNames>()

  constructor(journal: Pick<HolderJournal, 'find'>) {
    this.#journal = journal
  }

  /** Never throws: a request without names is still answered. */
  name(request: HolderRequest): RoundNames {
    const plan = planOf(request)
    if (plan === undefined || !isDigest(plan)) return {}
    const known = this.#known.get(plan)
    if (known) return known
    const names = { plan, ...this.#read(plan, request) }
    // A plan that nothing is known of may be known later.
    if (names.job === undefined) return names
    this.#known.set(plan, names)
    for (const oldest of [...this.#known.keys()].slice(0, -KEPT)) this.#known.delete(oldest)
    return names
  }

  #read(plan: Digest, request: HolderRequest): Omit<RoundNames, 'plan'> {
    try {
      const envelope = planEnvelopeOf(request) ?? this.#journal.find(plan)?.plan
      const parsed = envelope && parseStatement(roundPlanStatement, envelope)
      return parsed?.ok ? { job: parsed.value.job, round: parsed.value.round } : {}
    } catch {
      // A journal that cannot be read is met, and told of, where the request is answered.
      return {}
    }
  }
}

function planEnvelopeOf(request: HolderRequest): Envelope | undefined {
  return 'plan' in request ? request.plan : undefined
}

function planOf(request: HolderRequest): Digest | undefined {
  if ('plan' in request) return statementDigest(request.plan)
  return 'planDigest' in request ? request.planDigest : undefined
}
