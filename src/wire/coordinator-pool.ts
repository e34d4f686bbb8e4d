import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import type { TlsMaterial } from './credentials.ts'
import { type AttendanceListener, HolderConnection, type RequestHandler } from './holder-connection.ts'
import { limits } from './limits.ts'
import type { IssuedCertificate } from './peer.ts'
import { isTransientCall } from './transient.ts'
import type { PayloadSource } from './upload-client.ts'
import { WireError } from './wire-error.ts'

/** Between two ways through all coordinators. */
const TURN_MS = 500
/** A coordinator that does not take this holder, while others do, is asked again after this: it may know less than they do. */
const REFUSED_MS = 30_000

/** For so long an opening is waited for whose coordinator is away. */
const OPENING_PATIENCE_MS = 5000

interface Link {
  readonly address: string
  readonly connection: HolderConnection
  isConnected: boolean
  /** Fires when the connection is lost: what is in transfer there goes on elsewhere. */
  lost: AbortController
}

/**
 * A holder's connections to all coordinators of its venue: it dials each and answers whoever asks. What an answer needs (an
 * upload, an artifact) goes to the coordinator that asked, and to the others when that one is gone: they share what they store.
 */
export class CoordinatorPool {
  readonly #links: readonly Link[]
  /** Whose request is worked on. */
  readonly #asking = new AsyncLocalStorage<Link>()

  /** @throws WireError by `checkOwnCertificate`; nothing is dialled yet. */
  constructor(
    addresses: readonly string[],
    venue: string,
    tls: TlsMaterial,
    software: string,
    options: { readonly idleMs?: number } = {},
  ) {
    this.#links = addresses.map((address) => ({
      address,
      connection: new HolderConnection(address, venue, tls, software, options),
      isConnected: false,
      lost: new AbortController(),
    }))
  }

  get isConnected(): boolean {
    return this.#links.some(({ isConnected }) => isConnected)
  }

  /**
   * Attends all coordinators until the signal fires.
   * @throws WireError as `HolderConnection.attend` does, when no coordinator takes this holder
   */
  async attend(
    handle: RequestHandler,
    listenerOf: (address: string) => AttendanceListener,
    signal: AbortSignal,
  ): Promise<void> {
    const refusing = new Set<Link>()
    const given = new AbortController()
    const until = AbortSignal.any([signal, given.signal])
    let refusal: unknown
    const attendOne = async (link: Link) => {
      const listener = this.#watch(link, listenerOf(link.address), () => refusing.delete(link))
      const handleHere: RequestHandler = (request, traceparent) =>
        this.#asking.run(link, () => handle(request, traceparent))
      while (!until.aborted) {
        try {
          await link.connection.attend(handleHere, listener, until)
        } catch (error) {
          refusing.add(link)
          refusal ??= error
          if (refusing.size === this.#links.length || !(error instanceof WireError)) return given.abort()
          listener.onDisconnected(error, REFUSED_MS)
          await sleep(REFUSED_MS, undefined, { signal: until }).catch(() => undefined)
        }
      }
    }
    await Promise.all(this.#links.map(attendOne))
    if (given.signal.aborted) throw refusal
  }

  #watch(link: Link, listener: AttendanceListener, onTaken: () => void): AttendanceListener {
    return {
      ...listener,
      onConnected: (software) => {
        link.isConnected = true
        onTaken()
        listener.onConnected(software)
      },
      onDisconnected: (error, retryMs) => {
        link.isConnected = false
        link.lost.abort()
        link.lost = new AbortController()
        listener.onDisconnected(error, retryMs)
      },
    }
  }

  /** As `HolderConnection.upload`; a coordinator that takes over a round takes what is missing of its ciphertexts. */
  upload(planDigest: Digest, source: PayloadSource, until?: AbortSignal): Promise<PayloadReference> {
    return this.#anywhere((connection, signal) => connection.upload(planDigest, source, signal), until)
  }

  /** As `HolderConnection.fetchArtifact`. */
  fetchArtifact(digest: Digest, until?: AbortSignal): Promise<Uint8Array> {
    return this.#anywhere((connection, signal) => connection.fetchArtifact(digest, signal), until)
  }

  /**
   * As `HolderConnection.fetchOpening`, from the coordinator that opened the round: others do not have it. Where there are others, one
   * that stays away is given up: the job's next round, which another of them runs, waits for this.
   */
  async *fetchOpening(planDigest: Digest, offset: number): AsyncGenerator<Uint8Array> {
    const [link, ...others] = this.#inOrder()
    if (others.length === 0) return yield* link.connection.fetchOpening(planDigest, offset)
    const givenUp = new AbortController()
    let awayMs = 0
    const watching = setInterval(() => {
      awayMs = link.isConnected ? 0 : awayMs + TURN_MS
      if (awayMs >= OPENING_PATIENCE_MS) givenUp.abort()
    }, TURN_MS)
    try {
      yield* link.connection.fetchOpening(planDigest, offset, givenUp.signal)
    } finally {
      clearInterval(watching)
    }
  }

  /** As `HolderConnection.fetchContributions`. */
  fetchContributions(planDigest: Digest, most: number): Promise<Envelope[]> {
    return this.#anywhere((connection) => connection.fetchContributions(planDigest, most))
  }

  /** As `HolderConnection.fetchRegistry`. */
  fetchRegistry(afterSequence: number): Promise<Envelope[]> {
    return this.#anywhere((connection) => connection.fetchRegistry(afterSequence))
  }

  /** As `HolderConnection.renewCertificate`. */
  renewCertificate(signingRequest: Uint8Array): Promise<IssuedCertificate> {
    return this.#anywhere((connection) => connection.renewCertificate(signingRequest))
  }

  /** As `HolderConnection.useCertificate`, everywhere. */
  useCertificate(tls: TlsMaterial): void {
    for (const { connection } of this.#links) connection.useCertificate(tls)
  }

  close(): void {
    for (const { connection } of this.#links) connection.close()
  }

  /** The coordinator that asks, if it is there; then those that are connected. */
  #inOrder(): Link[] {
    const asking = this.#asking.getStore()
    const rank = (link: Link) => (link.isConnected ? 0 : 2) + (link === asking ? 0 : 1)
    return this.#links.toSorted((a, b) => rank(a) - rank(b))
  }

  /**
   * Tries one coordinator after another. One that the line to has broken, or that runs not (yet) the round in question, is
   * tried again in the next turn, as long as there is one whose answer may come.
   */
  async #anywhere<T>(
    call: (connection: HolderConnection, signal?: AbortSignal) => Promise<T>,
    until?: AbortSignal,
  ): Promise<T> {
    if (this.#links.length === 1) return call(this.#links[0].connection, until)
    const giveUpAt = until ? Number.POSITIVE_INFINITY : performance.now() + limits.stallMs
    for (;;) {
      let isHopeless = true
      let first: unknown
      for (const { connection, lost, isConnected } of this.#inOrder()) {
        try {
          return await call(connection, AbortSignal.any([lost.signal, ...(until ? [until] : [])]))
        } catch (error) {
          first ??= error
          // What the one says that asks is the answer, unless it went away while it was asked, or has the round no more.
          if (isTransientCall(error) || lost.signal.aborted || !isConnected) isHopeless = false
          else if (isHopeless && !isOfAnother(error)) throw error
        }
      }
      if (isHopeless || until?.aborted || performance.now() > giveUpAt) throw first
      await sleep(TURN_MS, undefined, { signal: until }).catch(() => undefined)
    }
  }
}

/** A coordinator refuses ciphertexts of a round that another has taken over. */
function isOfAnother(error: unknown): boolean {
  return error instanceof WireError && error.code === 'upload-refused'
}
