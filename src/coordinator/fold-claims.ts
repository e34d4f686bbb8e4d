import { randomUUID } from 'node:crypto'
import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { manifestStatement } from '../protocol/manifest.ts'
import { planParameters, roundPlanStatement } from '../protocol/round-plan.ts'
import { parseStatement, type StatementKind } from '../protocol/statement.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { type FoldingParts, type FoldOrder, foldPart } from './fold-part.ts'
import { pause } from './pause.ts'
import type { FoldClaim, FoldStore } from './ports.ts'
import { isTransient } from './transient.ts'

/** How long a part stays with a process that says nothing more; it renews at a third of it. */
export const CLAIM_MS = 10_000
/** How often parts are looked at when nothing tells of a change. */
const POLL_MS = 1000
/** How long a helper rests that could not add a part up: one that never can leaves the parts to others. */
const FAULT_PAUSE_MS = 10_000

export interface SharedFolding extends FoldingParts {
  readonly store: FoldStore
}

/** Wakes whoever waits for parts. */
export class FoldChanges {
  #next = new AbortController()
  readonly stop: () => void

  constructor({ onFoldChange }: FoldStore) {
    this.stop = onFoldChange(() => {
      this.#next.abort()
      this.#next = new AbortController()
    })
  }

  /** Fires at the next change. To be taken before looking, so that no change falls between. */
  get next(): AbortSignal {
    return this.#next.signal
  }

  async wait(next: AbortSignal, signal: AbortSignal): Promise<void> {
    await pause(POLL_MS, next, signal)
  }
}

/**
 * Adds the claimed part up, and keeps the claim meanwhile. When another has taken it, or the round is over, this ends quietly.
 * @throws as {@link foldPart}, and the part is then given back; StoreError `conflict` when somebody else's sum of it is another one
 */
export async function foldClaimed(
  order: FoldOrder,
  claim: FoldClaim,
  parts: SharedFolding,
  signal: AbortSignal,
): Promise<void> {
  const digest = await foldWhileKept(order, claim, parts, signal)
  if (digest !== undefined) await parts.store.finishFoldPart(claim, digest)
}

/** @returns undefined when the claim was lost */
async function foldWhileKept(order: FoldOrder, claim: FoldClaim, parts: SharedFolding, signal: AbortSignal) {
  const { store } = parts
  const [lost, ended] = [new AbortController(), new AbortController()]
  const keeping = keepClaim(claim, store, lost, ended.signal)
  try {
    return await foldPart(order, claim.part, parts, AbortSignal.any([signal, lost.signal]))
  } catch (error) {
    const isOwnFault = !signal.aborted && !isTransient(error)
    const fault = error instanceof Error ? error.message : String(error)
    // Where the store is away the claim runs out by itself.
    const isKept = await store.giveBackFoldPart(claim, isOwnFault ? fault : undefined).catch(() => true)
    if (isKept) throw error
    return undefined
  } finally {
    ended.abort()
    await keeping
  }
}

async function keepClaim(claim: FoldClaim, store: FoldStore, lost: AbortController, ended: AbortSignal) {
  while (!ended.aborted && !lost.signal.aborted) {
    await pause(CLAIM_MS / 3, ended)
    if (ended.aborted) return
    const isKept = await store.renewFoldClaim(claim, CLAIM_MS).catch(() => true)
    if (!isKept) lost.abort()
  }
}

/** Whoever watches a process that helps. */
export interface FoldListener {
  onFolded(claim: FoldClaim): void
  /** A part could not be added up here, or the store could not be asked. */
  onFault(error: unknown): void
}

/**
 * Adds up parts of whatever rounds there are, until the signal fires. What it cannot add up it leaves to the round's coordinator,
 * which alone may give the round up: a helper that does not reach the ciphertexts must not end rounds of others.
 */
export async function helpToFold(parts: SharedFolding, listener: FoldListener, signal: AbortSignal): Promise<void> {
  const changes = new FoldChanges(parts.store)
  // Parts of one round come one after another: who contributed is read once.
  let order: FoldOrder | undefined
  try {
    while (!signal.aborted) {
      const next = changes.next
      try {
        const claim = await parts.store.claimFoldPart(randomUUID(), CLAIM_MS)
        if (claim) {
          if (order?.planDigest !== claim.planDigest) order = await readOrder(claim.planDigest, parts.store)
          await foldClaimed(order, claim, parts, signal)
          listener.onFolded(claim)
        } else {
          await changes.wait(next, signal)
        }
      } catch (error) {
        if (signal.aborted) return
        listener.onFault(error)
        await pause(FAULT_PAUSE_MS, signal)
      }
    }
  } finally {
    changes.stop()
  }
}

/** @throws StoreError; CoordinatorError `round-abandoned` when what is stored of the round cannot be read */
async function readOrder(planDigest: Digest, store: FoldStore): Promise<FoldOrder> {
  const sealed = await store.readSealedSet(planDigest)
  const plan = readStored(roundPlanStatement, sealed.plan)
  const { contributions } = readStored(manifestStatement, sealed.manifest)
  return {
    planDigest,
    parameters: planParameters(plan),
    contributors: contributions.map(({ holder }) => holder),
  }
}

function readStored<T>(kind: StatementKind<T>, envelope: Envelope): T {
  const read = parseStatement(kind, envelope)
  if (read.ok) return read.value
  throw new CoordinatorError('round-abandoned', `A stored ${kind.payloadType} cannot be read: ${read.reason}`)
}
