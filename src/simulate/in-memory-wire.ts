import type { OpenRounds } from '../coordinator/open-rounds.ts'
import { type HolderDirectory, type PayloadSpool, type ReceivedReply, SUM } from '../coordinator/ports.ts'
import { spoolPayload } from '../coordinator/spool-payload.ts'
import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import { checkChunk } from '../crypto/payload-scheme.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import { refused, type Verdict } from '../sluice-error.ts'
import { copyOf, deliver, messageBytes } from './message-bytes.ts'
import type { CoordinatorAccess } from './simulated-holder.ts'
import type { Vanishing } from './simulation-options.ts'
import { Turnstile } from './turnstile.ts'

type Answer = Verdict<HolderReply, string>

/** The holder behind a name; made when it is first asked. */
export type FindHolder = (name: string) => { handle(request: HolderRequest): Promise<Answer> }

/** What went over the wire for one holder, in bytes. */
export interface Traffic {
  up: number
  down: number
}

/**
 * The wire between the coordinator and the holders of one process: what gRPC, the upload service and the opening service are
 * in a venue, with the same checks, and no sockets. Of all holders that are asked at once only a few work at a time, so that
 * memory does not grow with their number.
 */
export class InMemoryWire implements HolderDirectory, CoordinatorAccess {
  readonly #names: readonly string[]
  readonly #findHolder: FindHolder
  readonly #openRounds: OpenRounds
  readonly #spool: PayloadSpool
  readonly #openings: PayloadSpool
  readonly #turnstile: Turnstile
  readonly #onAnswer: (request: HolderRequest) => void
  #vanishing: ReadonlyMap<string, Vanishing> = new Map()
  readonly #vanished = new Set<string>()
  readonly #traffic = new Map<string, Traffic>()
  /** Uploads that wait for the contribution that names them. */
  readonly #uploaded = new Map<string, PayloadReference>()

  /** @param atOnce holders that work at the same time @param onAnswer is told of each answer, for a display of progress */
  constructor(
    names: readonly string[],
    findHolder: FindHolder,
    parts: { readonly openRounds: OpenRounds; readonly spool: PayloadSpool; readonly openings: PayloadSpool },
    atOnce: number,
    onAnswer: (request: HolderRequest) => void,
  ) {
    this.#names = names
    this.#findHolder = findHolder
    this.#openRounds = parts.openRounds
    this.#spool = parts.spool
    this.#openings = parts.openings
    this.#turnstile = new Turnstile(atOnce)
    this.#onAnswer = onAnswer
  }

  /** A new round: all are there, those named vanish in its course, and traffic is counted from zero. */
  beginRound(vanishing: ReadonlyMap<string, Vanishing>): void {
    this.#vanishing = vanishing
    this.#vanished.clear()
    this.#traffic.clear()
    this.#uploaded.clear()
  }

  get traffic(): ReadonlyMap<string, Readonly<Traffic>> {
    return this.#traffic
  }

  connected(): string[] {
    return this.#names.filter((name) => !this.#vanished.has(name))
  }

  async ask(holder: string, request: HolderRequest, signal: AbortSignal): Promise<Verdict<ReceivedReply, string>> {
    const entered = await this.#turnstile.enter(signal)
    if (!entered) return refused('deadline-passed', `${holder} was not reached in time.`)
    try {
      if (this.#vanishesNow(holder, request, 'before-upload')) return unreachable(holder)
      this.#count(holder, { down: messageBytes(request) })
      const answer = await this.#findHolder(holder).handle(deliver(request))
      if (this.#vanishesNow(holder, request, 'after-upload')) return unreachable(holder)
      return this.#receive(holder, answer)
    } finally {
      this.#turnstile.leave()
      this.#onAnswer(request)
    }
  }

  /** Vanishes when it is asked to contribute, and is gone for the rest of the round. */
  #vanishesNow(holder: string, { kind }: HolderRequest, when: Vanishing): boolean {
    if (kind === 'contribute' && this.#vanishing.get(holder) === when) this.#vanished.add(holder)
    return this.#vanished.has(holder)
  }

  /** A contribution comes with what arrived as its ciphertext, as the upload service notes it. */
  #receive(holder: string, answer: Answer): Verdict<ReceivedReply, string> {
    if (!answer.ok) return answer
    const reply = answer.value
    this.#count(holder, { up: messageBytes(reply) })
    if (reply.kind !== 'contribution') return { ok: true, value: reply }
    const uploaded = this.#uploaded.get(holder)
    if (!uploaded) return refused('payload-mismatch', `${holder} has uploaded nothing.`)
    this.#uploaded.delete(holder)
    return { ok: true, value: { kind: 'contribution', envelope: copyOf(reply.envelope), uploaded } }
  }

  async upload(planDigest: Digest, holder: string, chunks: AsyncIterable<Uint8Array>): Promise<PayloadReference> {
    const parameters = this.#openRounds.expectedPayload(planDigest, holder)
    if (!parameters) throw new Error(`${holder} uploads to a round that expects nothing of it`)
    const due = { planDigest, holder, parameters }
    const uploaded = await spoolPayload(this.#spool, due, checkedChunks(parameters, chunks))
    this.#count(holder, { up: uploaded.bytes })
    this.#uploaded.set(holder, uploaded)
    return uploaded
  }

  async *ownChunks(planDigest: Digest, holder: string, parameters: PayloadParameters): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < parameters.chunkCount; index++) {
      const offset = index * chunkGeometry(parameters, 0).bytes
      yield await this.#spool.read(planDigest, holder, offset, chunkGeometry(parameters, index).bytes)
    }
  }

  fetchContributions(planDigest: Digest, member: string): readonly Envelope[] {
    const contributions = this.#openRounds.contributionsFor(planDigest, member) ?? []
    const down = contributions.reduce((sum, envelope) => sum + messageBytes(envelope), 0)
    this.#count(member, { down })
    return contributions.map(copyOf)
  }

  async *fetchOpening(planDigest: Digest, holder: string, parameters: PayloadParameters): AsyncGenerator<Uint8Array> {
    const opening = this.#openRounds.openingFor(planDigest, holder)
    if (!opening) throw new Error(`${holder} asks for the opening of a round that has none for it`)
    this.#count(holder, { down: opening.keySum.length + opening.sumBytes })
    yield opening.keySum
    for (let index = 0; index < parameters.chunkCount; index++) {
      const offset = index * chunkGeometry(parameters, 0).bytes
      yield await this.#openings.read(planDigest, SUM, offset, chunkGeometry(parameters, index).bytes)
    }
  }

  #count(holder: string, { up = 0, down = 0 }: Partial<Traffic>): void {
    const traffic = this.#traffic.get(holder) ?? { up: 0, down: 0 }
    traffic.up += up
    traffic.down += down
    this.#traffic.set(holder, traffic)
  }
}

async function* checkedChunks(parameters: PayloadParameters, chunks: AsyncIterable<Uint8Array>) {
  let index = 0
  for await (const chunk of chunks) {
    checkChunk(parameters, index++, chunk)
    yield chunk
  }
}

function unreachable(holder: string): Verdict<never, string> {
  return refused('holder-unreachable', `${holder} has vanished.`)
}
