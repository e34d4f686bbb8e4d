import type { CoordinatorStore } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { MemoryLogStorage } from '../log/memory-log-storage.ts'
import { MemoryFolds } from './memory-folds.ts'
import { MemoryJobs } from './memory-jobs.ts'
import { MemoryJournal } from './memory-journal.ts'
import { MemoryQueue } from './memory-queue.ts'
import { MemoryRegistry } from './memory-registry.ts'
import { MemoryRounds } from './memory-rounds.ts'
import { StoreError } from './store-error.ts'

/** A place in memory for a coordinator's state: what is opened over it again finds what it has. */
export class MemoryPlace {
  readonly jobs = new MemoryJobs()
  readonly queue = new MemoryQueue(this.jobs)
  readonly journal = new MemoryJournal()
  readonly rounds = new MemoryRounds(this.jobs, this.journal)
  readonly folds = new MemoryFolds(this.rounds)
  readonly registry = new MemoryRegistry()
  readonly log = new MemoryLogStorage()
}

/** A store in memory, and what only a memory needs. */
export interface MemoryCoordinatorStore extends CoordinatorStore {
  /** Lets go of a published round's contributions, which a thousand holders make 60 MB of. */
  forgetContributions(planDigest: Digest): void
}

/**
 * The coordinator's state without a disk, for simulations: durable as long as its place is. Where nothing needs to outlive the
 * process it starts at once and takes what it holds; the embedded database takes seconds and a gigabyte to begin with.
 *
 * @throws StoreError `store-closed` after `close`
 */
export function openMemoryCoordinatorStore(place: MemoryPlace = new MemoryPlace()): MemoryCoordinatorStore {
  let isOpen = true
  const requireOpen = () => {
    if (!isOpen) throw new StoreError('store-closed', 'The store in memory is closed: open it again.')
  }
  const { journal, jobs, queue, rounds, folds, registry, log } = place
  return {
    ...guarded(journal, ['appendStatements', 'listStatements', 'findStatement', 'findPayload'], requireOpen),
    ...guarded(jobs, ['addJob', 'findJob', 'listJobs', 'listUnfinishedJobs', 'setJobState'], requireOpen),
    ...guarded(jobs, ['addJobOutput', 'listJobOutputs', 'appendJobEvent', 'listJobEvents'], requireOpen),
    ...guarded(queue, ['enterCoordinator', 'readQueue', 'claimJob', 'renewLeases'], requireOpen),
    ...guarded(queue, ['giveBackJob', 'requestCancel'], requireOpen),
    onJobChange: (listener) => queue.onJobChange(listener),
    ...guarded(rounds, ['addRound', 'addContribution', 'setRoundPhase', 'setAbandonment'], requireOpen),
    ...guarded(rounds, ['publishRound', 'listRounds', 'loadRound'], requireOpen),
    ...guarded(folds, ['addFoldParts', 'claimFoldPart', 'renewFoldClaim', 'giveBackFoldPart'], requireOpen),
    ...guarded(folds, ['finishFoldPart', 'listFoldParts', 'readSealedSet'], requireOpen),
    onFoldChange: (listener) => folds.onFoldChange(listener),
    ...guarded(registry, ['addRegistryRequest', 'findRegistryRequest', 'listPendingRequests'], requireOpen),
    ...guarded(registry, ['refuseRegistryRequest', 'addRegistrySignature', 'proposeRegistryStatement'], requireOpen),
    ...guarded(registry, ['findProposedStatement', 'enterRegistryStatement', 'listRegistryStatements'], requireOpen),
    log,
    forgetContributions: (planDigest) => rounds.forgetContributions(planDigest),
    close: async () => {
      isOpen = false
    },
  }
}

/** The named methods of a part, each of which looks first whether the store is open. */
function guarded<Part extends object, Name extends keyof Part>(
  part: Part,
  names: readonly Name[],
  requireOpen: () => void,
): Pick<Part, Name> {
  const entries = names.map((name) => {
    const method = part[name] as (...args: unknown[]) => Promise<unknown>
    const guardedMethod = async (...args: unknown[]) => {
      requireOpen()
      return method.apply(part, args)
    }
    return [name, guardedMethod] as const
  })
  return Object.fromEntries(entries) as Pick<Part, Name>
}
