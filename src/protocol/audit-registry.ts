import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, type Verdict } from '../sluice-error.ts'
import type { Refusal } from './protocol-error.ts'
import { applyRegistryStatement, emptyRegistry, type Registry, registryHead } from './registry.ts'
import type { Member } from './round-plan.ts'

/** A holder's entry from a registry statement on; no member: it has left. */
interface Entry {
  readonly sequence: number
  readonly member?: Member
}

/**
 * The registry as the log builds it, with its past: a plan is held against the registry that it names, which may be a
 * statement or two behind the log. Memory grows with the registry statements, whatever the number of plans.
 */
export class RegistryHistory {
  #registry: Registry
  readonly #sequences: Map<Digest, number>
  readonly #entries = new Map<string, Entry[]>()

  constructor(venue: string) {
    this.#registry = emptyRegistry(venue)
    this.#sequences = new Map([[registryHead(this.#registry), 0]])
  }

  /** As of now. */
  get registry(): Registry {
    return this.#registry
  }

  /** Takes in the next registry statement. Refusals: those of `applyRegistryStatement`; then nothing has changed. */
  apply(envelope: Envelope, coordinatorKey: StatementPublicKey): Verdict<Registry, Refusal> {
    const applied = applyRegistryStatement(this.#registry, envelope, coordinatorKey)
    if (!applied.ok) return applied
    const { members: before } = this.#registry
    const { members, sequence } = applied.value
    for (const [holder, member] of members) {
      if (before.get(holder) !== member) this.#note(holder, { sequence, member })
    }
    for (const holder of before.keys()) if (!members.has(holder)) this.#note(holder, { sequence })
    this.#registry = applied.value
    this.#sequences.set(registryHead(applied.value), sequence)
    return accepted(applied.value)
  }

  #note(holder: string, entry: Entry): void {
    const entries = this.#entries.get(holder)
    if (entries) entries.push(entry)
    else this.#entries.set(holder, [entry])
  }

  /** Whether the registry ever had this head. */
  knows(head: Digest): boolean {
    return this.#sequences.has(head)
  }

  /** A holder's entry at a head that the registry had; undefined when it was no member. */
  memberAt(holder: string, head: Digest): Member | undefined {
    const sequence = this.#sequences.get(head) ?? 0
    return this.#entries.get(holder)?.findLast((entry) => entry.sequence <= sequence)?.member
  }
}
