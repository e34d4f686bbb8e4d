import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientReadableStream } from '@grpc/grpc-js'
import { type Digest, digestOf } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import { REGISTRY_SIGNATURES_MAX } from '../protocol/registry-statements.ts'
import type { Verdict } from '../sluice-error.ts'
import { channelOptions } from './channel.ts'
import { envelopeFromWire, replyToWire, requestFromWire } from './codec.ts'
import { CoordinatorContract } from './contract.ts'
import { checkOwnCertificate, clientCredentials, type TlsMaterial } from './credentials.ts'
import type { ArtifactChunk__Output } from './generated/sluice/v1/ArtifactChunk.ts'
import type { CoordinatorClient } from './generated/sluice/v1/Coordinator.ts'
import type { CoordinatorMessage__Output } from './generated/sluice/v1/CoordinatorMessage.ts'
import { IdleWatch, unlessAborted } from './idle-watch.ts'
import { limits, PROTOCOL_VERSION } from './limits.ts'
import type { IssuedCertificate } from './peer.ts'
import { fromServiceError } from './status.ts'
import { pauses, Retries } from './transient.ts'
import { type PayloadSource, uploadFrom } from './upload-client.ts'
import { WireError, type WireErrorCode } from './wire-error.ts'

/**
 * What a holder does with what it is asked. Never rejects: a fault of its own is a refusal, too.
 * @param traceparent as the coordinator wrote it; for traces only
 */
export type RequestHandler = (request: HolderRequest, traceparent?: string) => Promise<Verdict<HolderReply, string>>

/** What happens to the connection, for the holder's log. */
export interface AttendanceListener {
  onConnected(software: string): void
  /** The stream broke; the next attempt is in `retryMs`. */
  onDisconnected(error: WireError, retryMs: number): void
  /** This holder has applied and waits for the members' signatures; said once until it is admitted. */
  onPending?(message: string): void
}

/** Waiting after these cures nothing: the files or the versions have to change. */
const FINAL_CODES: ReadonlySet<WireErrorCode> = new Set<WireErrorCode>([
  'not-admitted',
  'protocol-version',
  'wrong-peer',
  'credential-invalid',
])

/** A coordinator that answers "not yet" is asked again sooner than one that does not answer: the rest may take seconds. */
const PENDING_GROWTH = 1.25
/** How long the coordinator has to end the stream with us when this node stops. */
const LEAVE_MS = 2000
const RENEWAL_DEADLINE_MS = 15_000

type Answer = Promise<Verdict<HolderReply, string>>

/** A holder's one connection to its coordinator, always dialled from the holder's side. */
export class HolderConnection {
  #client: CoordinatorClient
  readonly #address: string
  readonly #venue: string
  readonly #software: string
  /** Requests in work, by id. One that comes again on the next stream is not begun again; its answer goes there, too. */
  readonly #working = new Map<string, Answer>()
  #redial = Promise.withResolvers<void>()
  readonly #idleMs: number
  readonly #stallMs: number | undefined

  /**
   * @param idleMs after which a transfer without progress is begun again
   * @param stallMs after which a transfer without progress is given up, though the request that wants it goes on: 0 for whoever does
   *   not wait, little for whoever knows another address. Unless told, see {@link Retries}
   * @throws WireError by `checkOwnCertificate`; nothing is dialled yet.
   */
  constructor(
    address: string,
    venue: string,
    tls: TlsMaterial,
    software: string,
    { idleMs = limits.idleMs, stallMs }: { readonly idleMs?: number; readonly stallMs?: number } = {},
  ) {
    this.#idleMs = idleMs
    this.#stallMs = stallMs
    this.#address = address
    this.#venue = venue
    this.#software = software
    this.#client = this.#dial(tls)
  }

  #dial(tls: TlsMaterial): CoordinatorClient {
    checkOwnCertificate(tls, new Date())
    return new CoordinatorContract(this.#address, clientCredentials(tls, this.#venue), channelOptions(this.#venue))
  }

  /**
   * Goes on under another certificate of the same identity: dials anew, and leaves the old connection when what is in work
   * there has ended. The coordinator asks again, on the new stream, whatever it still waits for.
   * @throws WireError by `checkOwnCertificate`
   */
  useCertificate(tls: TlsMaterial): void {
    const old = this.#client
    this.#client = this.#dial(tls)
    this.#redial.resolve()
    this.#redial = Promise.withResolvers()
    // Calls in progress go on to their end; the connection closes with the last of them.
    old.close()
  }

  /**
   * A new certificate for this holder's identity.
   * @param signingRequest PKCS #10, over a key that was made here
   * @throws WireError `not-admitted`, `coordinator-unreachable`, …
   */
  renewCertificate(signingRequest: Uint8Array): Promise<IssuedCertificate> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + RENEWAL_DEADLINE_MS
      this.#client.renewCertificate({ signingRequest }, { deadline }, (error, response) =>
        error ? reject(fromServiceError(error, this.#address)) : resolve(response!),
      )
    })
  }

  /**
   * Keeps the Attend stream open and answers what comes, until the signal fires. A broken stream is dialled again, with
   * growing pauses; so is a coordinator that has this holder wait for the members' signatures.
   * @throws WireError with one of the codes that no waiting cures: `not-admitted`, `protocol-version`, `wrong-peer`,
   *   `credential-invalid`.
   */
  async attend(handle: RequestHandler, listener: AttendanceListener, signal: AbortSignal): Promise<void> {
    let backoffMs: number = pauses.firstMs
    let isPending = false
    const onWelcome = (software: string) => {
      backoffMs = pauses.firstMs
      isPending = false
      listener.onConnected(software)
    }
    let last: Promise<unknown> = Promise.resolve()
    while (!signal.aborted) {
      const ended = this.#attendOnce(handle, signal, onWelcome)
      last = ended
      // The coordinator ends the old stream when the new one has greeted; nothing is to be waited for.
      const error = await Promise.race([ended, this.#redial.promise])
      if (signal.aborted) break
      if (!error) continue
      if (FINAL_CODES.has(error.code)) throw error
      const waits = error.code === 'admission-pending'
      if (!waits) listener.onDisconnected(error, backoffMs)
      else if (!isPending) listener.onPending?.(error.message)
      isPending = waits
      await sleep(backoffMs, undefined, { signal }).catch(() => undefined)
      backoffMs = Math.min(backoffMs * (waits ? PENDING_GROWTH : pauses.growth), pauses.longestMs)
    }
    await last
  }

  /** One stream, from dial to its end. @returns why it ended. */
  #attendOnce(handle: RequestHandler, signal: AbortSignal, onWelcome: (software: string) => void): Promise<WireError> {
    return new Promise((resolve) => {
      const stream = this.#client.attend()
      let patience: NodeJS.Timeout | undefined
      const leave = () => {
        stream.end()
        // A peer that accepts and says nothing (a dead machine, a firewall) must not keep the process from ending.
        patience = setTimeout(() => stream.cancel(), LEAVE_MS)
      }
      signal.addEventListener('abort', leave, { once: true })
      const finish = (error: unknown) => {
        clearTimeout(patience)
        signal.removeEventListener('abort', leave)
        resolve(fromServiceError(error, this.#address))
      }
      stream.on('error', finish)
      stream.on('end', () => finish(new WireError('connection-lost', 'The coordinator ended the connection.')))
      stream.on('data', (message: CoordinatorMessage__Output) => {
        if (message.welcome) return onWelcome(message.welcome.software)
        const request = message.request
        if (!request) return
        void this.#answerOnce(handle, request).then((verdict) => {
          if (stream.writable) stream.write({ reply: replyToWire(request.requestId, verdict) })
        })
      })
      stream.write({ hello: { protocolVersion: PROTOCOL_VERSION, software: this.#software } })
    })
  }

  #answerOnce(handle: RequestHandler, request: WireRequest): Answer {
    const { requestId } = request
    const working = this.#working.get(requestId)
    if (working) return working
    const begun = answer(handle, request).finally(() => this.#working.delete(requestId))
    this.#working.set(requestId, begun)
    return begun
  }

  /**
   * Uploads one ciphertext, as fast as the coordinator takes it. Goes on from what the coordinator has after transient
   * errors, until `until` fires: so it may be begun anew, here or at another address, and nothing arrives twice.
   * @returns its digest and size, as computed here and confirmed by the coordinator.
   * @throws WireError `upload-refused`, `other-ciphertext`, `upload-allowance-used`, …; the last transient one when the time
   *   is over
   */
  upload(planDigest: Digest, source: PayloadSource, until?: AbortSignal): Promise<PayloadReference> {
    return this.#retrying(until, (moved) =>
      uploadFrom(this.#client.uploadPayload(), { planDigest, source, idleMs: this.#idleMs, moved, until }),
    )
  }

  /** @param attempt to be repeated after transient errors; calls what it gets whenever something moves */
  async #retrying<T>(until: AbortSignal | undefined, attempt: (moved: () => void) => Promise<T>): Promise<T> {
    const retries = new Retries(until, this.#stallMs)
    for (;;) {
      try {
        return await attempt(retries.moved)
      } catch (error) {
        await retries.pause(this.#named(error))
      }
    }
  }

  /** Errors of calls by name; those of whoever gives the bytes stay as they are. */
  #named(error: unknown): unknown {
    const isOfCall = error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error
    return isOfCall ? fromServiceError(error, this.#address) : error
  }

  /**
   * The bytes of an artifact; a download that is cut goes on where it was.
   * @throws WireError `message-too-large`, `digest-mismatch`, `not-found`.
   */
  async fetchArtifact(digest: Digest, until?: AbortSignal): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let total = 0
    for await (const bytes of this.#download((offset) => this.#client.fetchArtifact({ digest, offset }), 0, until)) {
      total += bytes.length
      if (total > limits.artifactBytes) {
        throw new WireError('message-too-large', `An artifact is over ${limits.artifactBytes} bytes: refused.`)
      }
      parts.push(bytes)
    }
    const { buffer, byteOffset } = Buffer.concat(parts)
    const whole = new Uint8Array(buffer, byteOffset, total)
    if (digestOf(whole) !== digest) {
      throw new WireError('digest-mismatch', 'The coordinator sent another artifact than the plan names.')
    }
    return whole
  }

  /**
   * What a published round was opened from, from an offset on, in pieces of the wire's size: read no more of it than is due. A
   * download that is cut goes on where it was.
   */
  async *fetchOpening(planDigest: Digest, offset: number, until?: AbortSignal): AsyncGenerator<Uint8Array> {
    const open = (from: number) => this.#client.fetchOpening({ planDigest, offset: from })
    for await (const bytes of this.#download(open, offset, until)) yield new Uint8Array(bytes)
  }

  async *#download(
    open: (offset: number) => ClientReadableStream<ArtifactChunk__Output>,
    from: number,
    until: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const retries = new Retries(until, this.#stallMs)
    for (let offset = from; ; ) {
      try {
        for await (const { bytes } of this.#read(open(offset), until)) {
          retries.moved()
          offset += bytes.length
          yield bytes
        }
        return
      } catch (error) {
        await retries.pause(error)
      }
    }
  }

  /** The sealed contributions of a round, for a member of its committee. At most `most` of them are read. */
  fetchContributions(planDigest: Digest, most: number): Promise<Envelope[]> {
    return this.#retrying(undefined, async (moved) => {
      const envelopes: Envelope[] = []
      for await (const message of this.#read(this.#client.fetchContributions({ planDigest }))) {
        moved()
        if (message.payload.length > limits.contributionBytes || envelopes.length >= most) {
          throw new WireError('message-too-large', 'The coordinator sent more contributions than the plan has holders.')
        }
        envelopes.push(envelopeFromWire(message, 'a contribution'))
      }
      return envelopes
    })
  }

  /**
   * Registry statements with a number over `afterSequence`, in order: a page of them, none when there are no more. Nothing
   * about them is checked here. An applicant that is no member yet may ask, too.
   */
  fetchRegistry(afterSequence: number): Promise<Envelope[]> {
    return this.#retrying(undefined, async (moved) => {
      const envelopes: Envelope[] = []
      for await (const message of this.#read(this.#client.fetchRegistry({ afterSequence }))) {
        moved()
        if (envelopes.length >= limits.registryPage) {
          throw new WireError(
            'message-too-large',
            `A page of the registry has at most ${limits.registryPage} statements.`,
          )
        }
        envelopes.push(envelopeFromWire(message, 'a registry statement', REGISTRY_SIGNATURES_MAX))
      }
      return envelopes
    })
  }

  async *#read<T>(stream: ClientReadableStream<T>, until?: AbortSignal): AsyncGenerator<T> {
    // An error that comes when nobody reads any more, such as this side's own `cancel`, is nobody's.
    stream.on('error', () => undefined)
    try {
      const messages: AsyncIterator<T> = stream[Symbol.asyncIterator]()
      for (;;) {
        // Only while the coordinator is waited for: whoever reads may take its time.
        using idle = new IdleWatch(this.#idleMs)
        const signal = until ? AbortSignal.any([idle.signal, until]) : idle.signal
        const { value, done } = await unlessAborted(messages.next(), signal)
        if (done) return
        yield value
      }
    } catch (error) {
      throw this.#named(error)
    } finally {
      // Whoever stops reading early does not leave the call open; after its end this does nothing.
      stream.cancel()
    }
  }

  close(): void {
    this.#client.close()
  }
}

type WireRequest = NonNullable<CoordinatorMessage__Output['request']>

async function answer(handle: RequestHandler, message: WireRequest): Promise<Verdict<HolderReply, string>> {
  try {
    return await handle(requestFromWire(message), message.traceparent || undefined)
  } catch (error) {
    const code = error instanceof WireError ? error.code : 'holder-failed'
    return {
      ok: false,
      code,
      reason: error instanceof WireError ? error.message : 'The holder failed; its log says how.',
    }
  }
}
