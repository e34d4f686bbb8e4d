import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { heartDirectory, heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { JobWorkspace } from '../../nodes/holder/compute-step.ts'
import { parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { type Dataset, openDataset } from '../../nodes/holder/datasets.ts'
import { HolderAgent } from '../../nodes/holder/holder-agent.ts'
import { holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { planStep } from '../../src/coordinator/plan-next-round.ts'
import { type Digest, digestOf, toHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { jobStatement, parseJobSpecification } from '../../src/learning/job-specification.ts'
import type { JobStep } from '../../src/learning/job-steps.ts'
import { initialModel } from '../../src/learning/round-output.ts'
import type { Trainer } from '../../src/learning/trainer.ts'
import { EMPTY_ROOT } from '../../src/log/merkle-hash.ts'
import { unobservedHolder } from '../../src/observe/holder-observer.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import {
  type CoordinatorRound,
  closeCollection,
  planRound,
  receiveContribution,
  receiveShareCheck,
} from '../../src/protocol/coordinator-round.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { emptyRegistry, registryHead } from '../../src/protocol/registry.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { readAll } from './read-all.ts'
import { acceptedOf, coordinatorKey, createParties, floorsOf, membersOf, type Party } from './round-fixtures.ts'
import { smallOutput } from './small-output.ts'
import { logKey, type TestLog } from './test-log.ts'

type Answer = Verdict<HolderReply, string>
type RequestOf<Kind extends HolderRequest['kind']> = Extract<HolderRequest, { kind: Kind }>
type Planned = Pick<CoordinatorRound, 'plan' | 'planDigest' | 'planEnvelope'>

export const specification = parseJobSpecification({ ...heartJob('logistic', 'ab'.repeat(32), 1), holders: undefined })

/** Learns nothing: the attacks are on the rounds that a holder takes part in, not on what it computes for them. */
const IDLE_TRAINER: Trainer = {
  describe: async () => ({ name: 'idle', version: '1', backend: 'none', notes: [] }),
  train: async ({ weights, examples: { exampleCount } }) => {
    return { weights: weights.slice(), exampleCount, meanLoss: 0, steps: 0 }
  },
  evaluate: async ({ examples: { exampleCount } }) => {
    return { scores: new Float32Array(exampleCount), exampleCount, meanLoss: 0 }
  },
  close: async () => undefined,
}

/** Four real holder agents with the heart data and journals on disk, in the hands of a coordinator that is the test. */
export class HoldersUnderAttack {
  readonly directory = mkdtempSync(join(tmpdir(), 'sluice-attacks-'))
  readonly artifacts = new Map<Digest, Uint8Array>()
  /** What a member is given when it fetches the contributions of a plan. */
  readonly shown = new Map<Digest, readonly Envelope[]>()
  /** Chunks that left a holder, by plan and holder. */
  readonly uploads = new Map<string, readonly Uint8Array[]>()
  opening: readonly Uint8Array[] = []
  parties!: Party[]
  workers!: PayloadWorkers
  readonly #datasets = new Map<string, Dataset>()
  readonly #journals = new Map<string, HolderJournal>()
  readonly #agents = new Map<string, HolderAgent>()
  /** The size of the tree that each holder knows, as its coordinator remembers it. */
  readonly #known = new Map<string, number>()

  static async open(): Promise<HoldersUnderAttack> {
    const venue = new HoldersUnderAttack()
    venue.parties = await createParties(heartHospitals.map(({ name }) => name))
    venue.workers = await startPayloadWorkers({ threads: 1 })
    for (const [i, { keys }] of venue.parties.entries()) {
      const config = parseDatasetConfig({ name: 'heart', path: heartHospitals[i].path })
      venue.#datasets.set(keys.holder, await openDataset(config, { baseDirectory: heartDirectory }))
    }
    venue.reset()
    return venue
  }

  /** New nodes, that remember nothing. */
  reset(): void {
    for (const party of this.parties) {
      this.#journals.get(party.keys.holder)?.close()
      rmSync(join(this.directory, party.keys.holder), { recursive: true, force: true })
      this.#known.delete(party.keys.holder)
      this.#start(party)
    }
  }

  #start(party: Party): void {
    const { holder } = party.keys
    const journal = new HolderJournal(join(this.directory, holder))
    this.#journals.set(holder, journal)
    const members = new Map(this.parties.map(({ member }) => [member.holder, member]))
    const agent = new HolderAgent({
      observer: unobservedHolder,
      ...party,
      floors: floorsOf(party, this.parties),
      logKey,
      members: {
        membersAt: async () => accepted(members),
        endorse: async () => refused('approval-needed', 'The venue of this test admits nobody.'),
      },
      policy: holderPolicySchema.parse({ datasets: { heart: {} } }),
      datasets: new Map([['heart', this.#datasets.get(holder)!]]),
      trainer: IDLE_TRAINER,
      workers: this.workers,
      journal,
      coordinator: {
        upload: async (plan, source) => {
          const sent = await readAll(source.chunksFrom(0))
          this.uploads.set(`${plan}/${holder}`, sent)
          return referenceTo(sent)
        },
        fetchArtifact: async (digest) => this.artifacts.get(digest)!,
        fetchContributions: async (plan) => [...(this.shown.get(plan) ?? [])],
        fetchOpening: (_, offset) => piecesOf([Buffer.concat(this.opening).subarray(offset)]),
      },
      randomness: systemRandomness,
      log: pino({ level: 'silent' }),
    })
    this.#agents.set(holder, agent)
  }

  /** The process of a holder is replaced by another over the same disk. */
  restart({ keys: { holder } }: Party, { losesOutbox = false } = {}): void {
    this.#journals.get(holder)!.close()
    if (losesOutbox) rmSync(join(this.directory, holder, 'outbox'), { recursive: true })
    this.#start(this.parties.find(({ keys }) => keys.holder === holder)!)
  }

  /** Keeps a copy of a holder's disk; what it gives puts the copy back, as a restored backup does. */
  backUp(party: Party): () => void {
    const [disk, copy] = [join(this.directory, party.keys.holder), join(this.directory, `${party.keys.holder}.backup`)]
    this.#journals.get(party.keys.holder)!.close()
    cpSync(disk, copy, { recursive: true })
    this.#start(party)
    return () => {
      this.#journals.get(party.keys.holder)!.close()
      rmSync(disk, { recursive: true })
      cpSync(copy, disk, { recursive: true })
      this.#start(party)
    }
  }

  journalOf({ keys }: Party): HolderJournal {
    return this.#journals.get(keys.holder)!
  }

  /** A job that the coordinator signs; another nonce is another job. */
  createJob(nonce = '1'.repeat(64)): Envelope {
    const submittedAt = '2026-03-01T12:00:00.000Z'
    return signStatement(jobStatement, { specification, submittedBy: 'ada', submittedAt, nonce }, coordinatorKey)
  }

  /** What a training round of the job can work from: statistics, of one hospital's records, and the job's first model. */
  async createInputs(envelope: Envelope): Promise<RoundPlan['inputs']> {
    const job = statementDigest(envelope)
    const [dataset] = this.#datasets.values()
    const workspace = new JobWorkspace(job, specification, dataset, IDLE_TRAINER, () => undefined)
    const values = await workspace.compute('statistics', 1, new Map(), async () => new Uint8Array(), 'anybody')
    const sums = new Map([...values].map(([name, numbers]) => [name, Float64Array.from(numbers)]))
    const { bytes: statistics } = await smallOutput({ job, specification, step: 'statistics' }, sums, 1)
    const model = Buffer.concat(initialModel(job, specification))
    return Object.entries({ statistics, model }).map(([name, bytes]) => ({
      name,
      digest: this.serve(bytes),
    }))
  }

  /** Has the coordinator give this to who asks for it by its digest. */
  serve(artifact: Uint8Array): Digest {
    const digest = digestOf(artifact)
    this.artifacts.set(digest, artifact)
    return digest
  }

  /** A plan of one step of a job, over these holders or all; after the empty tree unless told. */
  createPlan(job: Envelope, changes: Partial<RoundPlan> = {}, parties = this.parties, step: JobStep = 'statistics') {
    const inputs = Object.fromEntries((changes.inputs ?? []).map(({ name, digest }) => [name, digest]))
    const cohort = { members: parties.map(({ member }) => member), registry: registryHead(emptyRegistry('venue.test')) }
    const { round = 1 } = changes
    const after = { size: 0, root: toHex(EMPTY_ROOT) }
    const now = new Date()
    const plan = planStep(
      statementDigest(job),
      specification,
      round,
      step,
      inputs,
      cohort,
      after,
      now,
      systemRandomness,
    )
    return planRound({ ...plan, ...changes }, coordinatorKey)
  }

  /** One request, without a second attempt. */
  handle({ keys }: Party, request: HolderRequest): Promise<Answer> {
    return this.#agents.get(keys.holder)!.handle(request)
  }

  /** A request with a checkpoint; a holder that knows another tree is asked again from there. */
  async #ask(party: Party, make: (oldSize: number) => Promise<HolderRequest>): Promise<Answer> {
    const first = await this.handle(party, await make(this.#known.get(party.keys.holder) ?? 0))
    if (!first.ok || first.value.kind !== 'known-size') return first
    this.#known.set(party.keys.holder, first.value.size)
    return this.handle(party, await make(first.value.size))
  }

  /** Asks for a cosignature of the log's latest checkpoint. */
  cosign(party: Party, log: TestLog, { plan }: Planned): Promise<Answer> {
    return this.#ask(party, async (oldSize) => ({
      kind: 'cosign',
      checkpoint: await log.checkpoint([], plan, oldSize),
    }))
  }

  /** @param cosigners who have cosigned the checkpoint; the committee unless told */
  async contribute(
    party: Party,
    log: TestLog,
    planned: CoordinatorRound,
    job: Envelope,
    more: Partial<RequestOf<'contribute'>> & { readonly cosigners?: readonly Party[]; readonly start?: number } = {},
  ): Promise<Answer> {
    const { cosigners = await this.#cosigners(party, log, planned), start = planned.plan.after.size, ...changes } = more
    return this.#ask(party, async (oldSize) => ({
      kind: 'contribute',
      plan: planned.planEnvelope,
      checkpoint: await log.checkpoint(cosigners, planned.plan, oldSize),
      range: await log.range(start),
      job: await log.logged(job),
      publications: [],
      abandonments: [],
      ...changes,
    }))
  }

  /**
   * The committee, as far as it cosigns the log's latest checkpoint: all but this one do. It is asked for its own, also when it has
   * forgotten something: a holder that met its own word of a larger tree than it knows would do nothing any more.
   */
  async #cosigners(party: Party, log: TestLog, planned: Planned): Promise<Party[]> {
    const { ok } = await this.cosign(party, log, planned)
    return this.seated(planned).filter(({ keys }) => ok || keys.holder !== party.keys.holder)
  }

  async check(party: Party, log: TestLog, planned: Planned, candidates: Envelope, start?: number): Promise<Answer> {
    const cosigners = await this.#cosigners(party, log, planned)
    return this.#ask(party, async (oldSize) => ({
      kind: 'check-shares',
      planDigest: planned.planDigest,
      candidates,
      ...(await this.#evidence(cosigners, log, planned, oldSize, start)),
    }))
  }

  async endorse(party: Party, log: TestLog, planned: Planned, manifest: Envelope, start?: number): Promise<Answer> {
    const cosigners = await this.#cosigners(party, log, planned)
    return this.#ask(party, async (oldSize) => ({
      kind: 'endorse',
      planDigest: planned.planDigest,
      manifest,
      ...(await this.#evidence(cosigners, log, planned, oldSize, start)),
    }))
  }

  answer(party: Party, { planDigest }: Planned, certificate: Envelope): Promise<Answer> {
    return this.handle(party, { kind: 'answer', planDigest, certificate })
  }

  async #evidence(
    cosigners: readonly Party[],
    log: TestLog,
    { plan }: Planned,
    oldSize: number,
    start = plan.after.size,
  ) {
    const checkpoint = await log.checkpoint(cosigners, plan, oldSize)
    return { checkpoint, range: await log.range(start) }
  }

  seated(planned: Pick<CoordinatorRound, 'plan'>): Party[] {
    return membersOf(planned, this.parties)
  }

  /** Has these holders contribute, and shows their contributions to the committee. */
  async collect(
    log: TestLog,
    planned: CoordinatorRound,
    job: Envelope,
    parties: readonly Party[] = this.parties,
  ): Promise<CoordinatorRound> {
    let round = planned
    for (const party of parties) {
      const reply = acceptedOf(await this.contribute(party, log, planned, job))
      if (reply.kind !== 'contribution') throw new Error(`a ${reply.kind} for a contribution`)
      const { holder } = party.keys
      const sent = referenceTo(this.uploads.get(`${planned.planDigest}/${holder}`)!)
      round = acceptedOf(receiveContribution(round, holder, reply.envelope, sent, new Date()))
    }
    this.shown.set(
      planned.planDigest,
      [...round.contributions.values()].map(({ envelope }) => envelope),
    )
    return round
  }

  /** Closes the collection, logs its candidates, and has the committee check its shares. */
  async checkShares(log: TestLog, collected: CoordinatorRound): Promise<CoordinatorRound> {
    const nonce = digestOf(Buffer.from('candidates nonce'))
    let round = acceptedOf(closeCollection(collected, nonce, coordinatorKey, new Date()))
    await log.append([round.candidates!])
    for (const party of this.seated(round)) {
      const reply = acceptedOf(await this.check(party, log, round, round.candidates!))
      if (reply.kind !== 'share-check') throw new Error(`a ${reply.kind} for a share check`)
      round = acceptedOf(receiveShareCheck(round, party.keys.holder, reply.envelope))
    }
    return round
  }

  async close(): Promise<void> {
    for (const journal of this.#journals.values()) journal.close()
    for (const dataset of this.#datasets.values()) dataset.close()
    await this.workers.close()
    rmSync(this.directory, { recursive: true })
  }
}

function referenceTo(chunks: readonly Uint8Array[]) {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return { digest: payloadDigest(chunks.map((chunk) => digestOf(chunk))), bytes }
}

async function* piecesOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}
