import { EventEmitter } from 'node:events'
import type { FoldClaim, FoldStore } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { notSealed, otherSum } from './fold-records.ts'

interface HeldPart {
  readonly planDigest: Digest
  readonly part: number
  claim?: { readonly claimant: string; readonly endsAt: number }
  fault?: string
  digest?: Digest
}

/** As much of the rounds in memory as folding needs. */
export interface MemoryFoldRounds {
  /** Undefined when there is none. */
  sealedSet(planDigest: Digest): { readonly plan: Envelope; readonly manifest: Envelope } | undefined
  /** Whether its sum is still to be opened: `sealed` or `certified`. */
  isToBeOpened(planDigest: Digest): boolean
}

/** Parts of sums in memory, by the process's clock; contracts on {@link FoldStore}. */
export class MemoryFolds implements FoldStore {
  readonly #rounds: MemoryFoldRounds
  #parts: readonly HeldPart[] = []
  readonly #changes = new EventEmitter().setMaxListeners(0)

  constructor(rounds: MemoryFoldRounds) {
    this.#rounds = rounds
  }

  /** In the order in which they are taken; what belongs to rounds that are over is let go of. */
  #open(): readonly HeldPart[] {
    this.#parts = this.#parts.filter(({ planDigest }) => this.#rounds.isToBeOpened(planDigest))
    return this.#parts
  }

  #find({ planDigest, part }: FoldClaim): HeldPart | undefined {
    return this.#open().find((held) => held.planDigest === planDigest && held.part === part)
  }

  #claimed(claim: FoldClaim): HeldPart | undefined {
    const held = this.#find(claim)
    return held?.claim?.claimant === claim.claimant && held.digest === undefined ? held : undefined
  }

  async addFoldParts(planDigest: Digest, count: number): Promise<void> {
    if (!this.#rounds.isToBeOpened(planDigest)) throw notSealed('conflict', planDigest)
    const known = this.#open().filter((held) => held.planDigest === planDigest).length
    const added = Array.from({ length: count - known }, (_, i): HeldPart => ({ planDigest, part: known + i }))
    const inOrder = (a: HeldPart, b: HeldPart) => a.part - b.part || (a.planDigest < b.planDigest ? -1 : 1)
    this.#parts = [...this.#parts, ...added].sort(inOrder)
    this.#changes.emit('change')
  }

  async claimFoldPart(claimant: string, leaseMs: number, planDigest?: Digest): Promise<FoldClaim | undefined> {
    const held = this.#open().find(
      (each) =>
        each.digest === undefined &&
        (each.claim?.endsAt ?? 0) <= Date.now() &&
        (planDigest === undefined ? each.fault === undefined : each.planDigest === planDigest),
    )
    if (!held) return undefined
    held.claim = { claimant, endsAt: Date.now() + leaseMs }
    return { planDigest: held.planDigest, part: held.part, claimant }
  }

  async renewFoldClaim(claim: FoldClaim, leaseMs: number): Promise<boolean> {
    const held = this.#claimed(claim)
    if (held) held.claim = { claimant: claim.claimant, endsAt: Date.now() + leaseMs }
    return held !== undefined
  }

  async giveBackFoldPart(claim: FoldClaim, fault?: string): Promise<boolean> {
    const held = this.#claimed(claim)
    if (!held) return false
    held.claim = undefined
    held.fault = fault ?? held.fault
    this.#changes.emit('change')
    return true
  }

  async finishFoldPart(claim: FoldClaim, digest: Digest): Promise<void> {
    const held = this.#find(claim)
    if (!held) return
    if (held.digest !== undefined && held.digest !== digest) throw otherSum(claim)
    held.digest = digest
    this.#changes.emit('change')
  }

  async listFoldParts(planDigest: Digest) {
    const parts = this.#open().filter((held) => held.planDigest === planDigest)
    return parts.map(({ part, digest }) => ({ part, ...(digest !== undefined && { digest }) }))
  }

  async readSealedSet(planDigest: Digest) {
    const sealed = this.#rounds.sealedSet(planDigest)
    if (sealed) return sealed
    throw notSealed('not-found', planDigest)
  }

  onFoldChange(listener: () => void): () => void {
    this.#changes.on('change', listener)
    return () => void this.#changes.off('change', listener)
  }
}
