import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { heartDirectory, heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { type Dataset, openDataset } from '../../nodes/holder/datasets.ts'
import { type CoordinatorAccess, HolderAgent, type HolderParts } from '../../nodes/holder/holder-agent.ts'
import { holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { openTrainerThread } from '../../nodes/trainers/tfjs/trainer-thread.ts'
import { systemClock } from '../../src/cli/coordinator-process.ts'
import { Coordinator } from '../../src/coordinator/coordinator.ts'
import { SCHEDULING_DEFAULTS } from '../../src/coordinator/job-scheduler.ts'
import { OpenRounds } from '../../src/coordinator/open-rounds.ts'
import {
  type BlobStore,
  type Clock,
  type HolderDirectory,
  type ReceivedReply,
  type RoundObserver,
  SUM,
  unobserved,
} from '../../src/coordinator/ports.ts'
import { openTransparencyLog, type TransparencyLog } from '../../src/coordinator/transparency-log.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { unobservedHolder } from '../../src/observe/holder-observer.ts'
import type { PayloadReference } from '../../src/protocol/contribution.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { emptyRegistry, registryHead } from '../../src/protocol/registry.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { type BlobStores, storesOver } from '../../src/store/stores-over.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'
import { WireError } from '../../src/wire/wire-error.ts'
import { coordinatorDatabase, embeddedDatabase } from './coordinator-database.ts'
import { coordinatorKey, createParties, floorsOf, type Party } from './round-fixtures.ts'
import { logKey, logSigner } from './test-log.ts'

/** Stands between the coordinator and a holder: may answer itself, or let the real holder answer. */
export type Interference = (
  request: HolderRequest,
  answer: () => Promise<Verdict<HolderReply, string>>,
) => Promise<Verdict<HolderReply, string>>

/**
 * A whole venue in one process: the real coordinator, store, spool, workers, and four real holder agents with the heart
 * data; only sockets are missing.
 */
export class InProcessVenue {
  readonly directory = mkdtempSync(join(tmpdir(), 'sluice-venue-'))
  /** Of the coordinator that runs: another process has others. */
  openRounds = new OpenRounds()
  readonly connected = new Set(heartHospitals.map(({ name }) => name as string))
  /** Per holder; absent ones answer as they are. */
  readonly interferences = new Map<string, Interference>()
  readonly faults: unknown[] = []
  /** How often the coordinator has waited by its clock. */
  sleeps = 0
  parties!: Party[]
  agents = new Map<string, HolderAgent>()
  #stack = new AsyncDisposableStack()
  #lost = Promise.withResolvers<void>()
  /** Chunks that the spool took in from holders, ever. */
  uploadedChunks = 0
  #journals = new Map<string, HolderJournal>()
  #starts = new Map<string, (whileDown: () => void) => HolderAgent>()
  workers!: Awaited<ReturnType<typeof startPayloadWorkers>>
  artifacts!: BlobStores['artifacts']
  spool!: BlobStores['spool']
  openings!: BlobStores['openings']
  store!: Awaited<ReturnType<typeof openCoordinatorStore>>
  log!: TransparencyLog

  /** Of the coordinator that is started. */
  observer: RoundObserver = unobserved

  /**
   * @param changes takes the place of parts of a holder's node
   * @param options.blobs a directory's unless told
   * @param options.prepare fills the venue's directory before anything in it is opened
   */
  static async open(
    changes: (parts: HolderParts) => Partial<HolderParts> = () => ({}),
    { blobs, prepare }: { readonly blobs?: BlobStore; readonly prepare?: (directory: string) => Promise<void> } = {},
  ): Promise<InProcessVenue> {
    const venue = new InProcessVenue()
    await prepare?.(venue.directory)
    venue.parties = await createParties(heartHospitals.map(({ name }) => name))
    venue.workers = venue.#stack.adopt(await startPayloadWorkers({ threads: 1 }), (open) => open.close())
    Object.assign(venue, storesOver(blobs ?? (await openDirectoryBlobStore(venue.directory))))
    // What was put there before anything is opened is an embedded one.
    const database = prepare ? embeddedDatabase(venue.directory) : await coordinatorDatabase(venue.directory)
    venue.#stack.defer(() => database.drop())
    venue.store = await openCoordinatorStore(database.options)
    venue.log = await openTransparencyLog(venue.store, logSigner)
    const trainer = venue.#stack.adopt(openTrainerThread(), (open) => open.close())
    for (const [i, party] of venue.parties.entries()) {
      const config = parseDatasetConfig({ name: 'heart', path: heartHospitals[i].path })
      const dataset = venue.#stack.use(await openDataset(config, { baseDirectory: heartDirectory }))
      venue.agents.set(party.keys.holder, venue.#openAgent(party, dataset, trainer, changes))
    }
    return venue
  }

  #openAgent(
    party: Party,
    dataset: Dataset,
    trainer: ReturnType<typeof openTrainerThread>,
    changes: (parts: HolderParts) => Partial<HolderParts>,
  ): HolderAgent {
    const { holder } = party.keys
    const start = (whileDown: () => void) => {
      this.#journals.get(holder)?.close()
      whileDown()
      const journal = new HolderJournal(join(this.directory, holder))
      this.#journals.set(holder, journal)
      const parts: HolderParts = {
        ...party,
        floors: floorsOf(party, this.parties),
        logKey,
        members: {
          membersAt: async () => accepted(this.#members),
          endorse: async () => refused('approval-needed', 'The venue of this test admits nobody.'),
        },
        policy: holderPolicySchema.parse({ datasets: { heart: {} } }),
        datasets: new Map([['heart', dataset]]),
        trainer,
        workers: this.workers,
        journal,
        coordinator: this.#accessFor(holder),
        randomness: systemRandomness,
        log: pino({ level: 'silent' }),
        observer: unobservedHolder,
      }
      return new HolderAgent({ ...parts, ...changes(parts) })
    }
    this.#starts.set(holder, start)
    return start(() => {})
  }

  /** What a holder remembers. */
  journalOf(holder: string): HolderJournal {
    return this.#journals.get(holder)!
  }

  /** The process of a holder is replaced by another over the same directory. @param whileDown between the two */
  restartHolder(holder: string, whileDown: () => void = () => {}): HolderAgent {
    const agent = this.#starts.get(holder)!(whileDown)
    this.agents.set(holder, agent)
    return agent
  }

  #accessFor(holder: string): CoordinatorAccess {
    return {
      upload: (plan, source, until) => this.#upload(plan, holder, source, until),
      fetchArtifact: (digest) => this.artifacts.get(digest),
      fetchOpening: (plan, offset) => this.#opening(plan, holder, offset),
      fetchContributions: async (plan) => [...(this.openRounds.contributionsFor(plan, holder) ?? [])],
    }
  }

  /** As the wire does: what is stored is asked for first, and a coordinator that is replaced is gone on with. */
  async #upload(plan: string, holder: string, source: PayloadSource, until: AbortSignal): Promise<PayloadReference> {
    for (;;) {
      const lost = this.#lost.promise.then(() => 'lost' as const)
      const sent = await Promise.race([this.#uploadOnce(plan, holder, source), lost])
      if (sent !== 'lost') return sent
      // The next coordinator takes the round up in a moment.
      while (!until.aborted && !this.openRounds.expectedPayload(plan, holder)) await systemClock.sleep(5, until)
    }
  }

  async #uploadOnce(plan: string, holder: string, source: PayloadSource): Promise<PayloadReference> {
    // As the server does: what is not due now is not taken in.
    const parameters = this.openRounds.expectedPayload(plan, holder)
    if (!parameters) throw notDue()
    const stored = await this.spool.stat(plan, holder)
    if (stored) return stored
    const writer = await this.spool.open(plan, holder, parameters)
    try {
      for await (const chunk of source.chunksFrom(writer.resumed.chunks)) {
        await writer.append(chunk)
        this.uploadedChunks++
      }
      if (!this.openRounds.expectedPayload(plan, holder)) throw notDue()
      return await writer.commit()
    } finally {
      await writer.close()
    }
  }

  /** Another coordinator process takes over: what the last one had in memory is gone, and every call to it is cut. */
  replaceCoordinator(spool: BlobStores['spool'] = this.spool): void {
    this.openRounds = new OpenRounds()
    this.spool = spool
    this.#lost.resolve()
    this.#lost = Promise.withResolvers()
  }

  async *#opening(plan: string, holder: string, offset: number): AsyncGenerator<Uint8Array> {
    const opening = this.openRounds.openingFor(plan, holder)
    if (!opening) return
    const { keySum, sumBytes } = opening
    if (offset < keySum.length) yield keySum.subarray(offset)
    const at = Math.max(0, offset - keySum.length)
    yield this.openings.read(plan, SUM, at, sumBytes - at)
  }

  get #members() {
    return new Map(this.parties.map(({ member }) => [member.holder, member]))
  }

  readonly holders: HolderDirectory = {
    connected: () => [...this.connected].sort(),
    ask: async (holder, request, signal) => {
      if (!this.connected.has(holder)) return refused('holder-unreachable', `${holder} is not connected.`)
      const answer = () => this.agents.get(holder)!.handle(request)
      const interference = this.interferences.get(holder)
      const gone = new Promise<Verdict<never, string>>((resolve) => {
        signal.addEventListener('abort', () => resolve(refused('deadline-passed', 'late')), { once: true })
      })
      const reply = await Promise.race([interference ? interference(request, answer) : answer(), gone])
      return reply.ok ? this.#received(holder, request, reply.value) : reply
    },
  }

  async #received(holder: string, request: HolderRequest, reply: HolderReply): Promise<Verdict<ReceivedReply, string>> {
    if (reply.kind !== 'contribution' || request.kind !== 'contribute')
      return { ok: true, value: reply as ReceivedReply }
    const uploaded = await this.spool.stat(statementDigest(request.plan), holder)
    return uploaded ? accepted({ ...reply, uploaded }) : refused('payload-mismatch', 'Nothing was uploaded.')
  }

  readonly #countingClock: Clock = {
    now: systemClock.now,
    sleep: (ms, signal) => {
      this.sleeps++
      return systemClock.sleep(ms, signal)
    },
  }

  /** What rounds and jobs run on here. */
  get parts() {
    return {
      key: coordinatorKey,
      clock: this.#countingClock,
      store: this.store,
      artifacts: this.artifacts,
      spool: this.spool,
      holders: this.holders,
      openRounds: this.openRounds,
      workers: this.workers,
      committeeTimeoutMs: 5000,
      observer: this.observer,
      gatherMs: 200,
      randomness: systemRandomness,
      openings: this.openings,
      log: this.log,
      name: 'coordinator',
      scheduling: SCHEDULING_DEFAULTS,
      registry: {
        current: () => ({ members: this.#members, head: registryHead(emptyRegistry('venue.test')) }),
      },
    }
  }

  /** Starts a coordinator over the venue's store. */
  startCoordinator(): { coordinator: Coordinator; stopped: Promise<void> } {
    const coordinator = new Coordinator(this.parts, {
      onJobState: () => {},
      onFault: (_, error) => this.faults.push(error),
    })
    return { coordinator, stopped: coordinator.run() }
  }

  async close(): Promise<void> {
    await this.store.close()
    for (const journal of this.#journals.values()) journal.close()
    await this.#stack.disposeAsync()
    await rm(this.directory, { recursive: true })
  }
}

function notDue(): WireError {
  return new WireError('upload-refused', 'Nothing is due.')
}
