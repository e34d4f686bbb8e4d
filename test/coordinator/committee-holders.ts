import { join } from 'node:path'
import { CommitteeDuty } from '../../nodes/holder/committee-duty.ts'
import { HolderError } from '../../nodes/holder/holder-error.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { LogFollower } from '../../nodes/holder/log-follower.ts'
import type { SentContribution } from '../../nodes/holder/sent-contributions.ts'
import { hashOwnPayload } from '../../nodes/holder/sum-verification.ts'
import type { ReceivedReply } from '../../src/coordinator/ports.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import type { PayloadWorkers } from '../../src/crypto/payload-workers.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import {
  acceptedOf,
  coordinatorKey,
  lanesOf,
  type MadeContribution,
  makeContribution,
  type Party,
} from '../support/round-fixtures.ts'
import { logKey } from '../support/test-log.ts'

/** What the holders of a round share in these tests. */
export interface HolderSurroundings {
  readonly scheme: PayloadScheme
  readonly workers: PayloadWorkers
  readonly directory: string
  readonly upload: (planDigest: Digest, contribution: MadeContribution) => Promise<void>
  readonly fetchContributions: (planDigest: Digest, member: string) => readonly Envelope[]
}

/**
 * A holder without data: it contributes lanes that follow from its name, and is otherwise a real member of the committee, with
 * journal, memory of the log and all duties.
 */
export class CommitteeHolder {
  readonly party: Party
  /** By plan. */
  readonly made = new Map<Digest, MadeContribution>()
  /** What becomes of a contribution before it leaves. */
  tamper: (made: MadeContribution) => Promise<MadeContribution> = async (made) => made
  readonly #around: HolderSurroundings
  readonly #journal: HolderJournal
  readonly #follower: LogFollower
  readonly #duty: CommitteeDuty

  constructor(party: Party, around: HolderSurroundings) {
    this.party = party
    this.#around = around
    const { holder, statementKey } = party.keys
    this.#journal = new HolderJournal(join(around.directory, holder))
    this.#follower = new LogFollower(logKey, party.member, statementKey, this.#journal)
    this.#duty = new CommitteeDuty({
      keys: party.keys,
      coordinatorKey: coordinatorKey.publicKey,
      log: logKey,
      follower: this.#follower,
      journal: this.#journal,
      fetchContributions: async (planDigest) => [...around.fetchContributions(planDigest, holder)],
    })
  }

  /** Never rejects for what the holder refuses by an error, like the agent. */
  async handle(request: HolderRequest): Promise<Verdict<ReceivedReply, string>> {
    try {
      return await this.#dispatch(request)
    } catch (error) {
      if (error instanceof HolderError) return refused(error.code, error.message)
      throw error
    }
  }

  async #dispatch(request: HolderRequest): Promise<Verdict<ReceivedReply, string>> {
    switch (request.kind) {
      case 'contribute':
        return this.#contribute(request)
      case 'cosign': {
        const followed = this.#follower.follow(request.checkpoint, new Date())
        if (!followed.ok || followed.value.kind === 'known-size') return followed as Verdict<ReceivedReply, string>
        return accepted({ kind: 'cosignature', line: followed.value.cosignature })
      }
      case 'check-shares':
        return received(await this.#duty.checkShares(request))
      case 'explain-shares':
        return received(await this.#duty.explainShares(request, this.made.get(request.planDigest)!.shares))
      case 'endorse':
        return received(await this.#duty.endorse(request))
      case 'answer':
        return received(await this.#duty.answer(request))
      case 'hash-payload': {
        const hashed = await this.#hash(request.planDigest, request.manifest, request.sum)
        return hashed.ok ? accepted({ kind: 'payload-hash', envelope: hashed.value }) : hashed
      }
      default:
        return accepted({ kind: 'noted' })
    }
  }

  async #contribute(request: Extract<HolderRequest, { kind: 'contribute' }>): Promise<Verdict<ReceivedReply, string>> {
    const followed = this.#follower.follow(request.checkpoint, new Date())
    if (!followed.ok) return followed
    if (followed.value.kind === 'known-size') return accepted(followed.value)
    const planDigest = statementDigest(request.plan)
    const plan = acceptedOf(parseStatement(roundPlanStatement, request.plan))
    // Round after round of these tests asks the same.
    this.#journal.accept(planDigest, request.plan, { job: plan.job, question: planDigest, dataset: 'none' })
    this.#journal.claimContribution(planDigest)
    const { scheme, upload } = this.#around
    const made = await this.tamper(
      await makeContribution(scheme, { plan, planDigest }, this.party, lanesOf(this.party.keys.holder)),
    )
    this.made.set(planDigest, made)
    await upload(planDigest, made)
    return accepted({ kind: 'contribution', envelope: made.envelope, uploaded: made.payload })
  }

  /** As much of it as hashing and explaining look at. */
  #sent(planDigest: Digest): SentContribution {
    const { plan } = this.#journal.find(planDigest)!
    const { envelope, payload, chunks, holder } = this.made.get(planDigest)!
    const entry = { holder, contribution: statementDigest(envelope), payload: payload.digest }
    const body = acceptedOf(parseStatement(roundPlanStatement, plan))
    const readChunk = async (index: number) => chunks[index]
    return { plan: body, planDigest, entry, readChunk } as unknown as SentContribution
  }

  #hash(planDigest: Digest, manifest: Envelope, sum: Digest) {
    const { workers } = this.#around
    const none = undefined as never
    const parts = {
      workers,
      coordinatorKey: coordinatorKey.publicKey,
      fetchOpening: none,
      fetchArtifact: none,
    }
    return hashOwnPayload(this.#sent(planDigest), manifest, sum, parts, this.party.keys.statementKey)
  }

  close(): void {
    this.#journal.close()
  }
}

function received(verdict: Verdict<HolderReply, string>): Verdict<ReceivedReply, string> {
  if (verdict.ok && verdict.value.kind === 'contribution') throw new Error('no duty gives a contribution')
  return verdict as Verdict<ReceivedReply, string>
}
