import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientReadableStream } from '@grpc/grpc-js'
import { type Digest, digestOf } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { type PayloadReference, payloadDigest } from '../protocol/contribution.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import type { Verdict } from '../sluice-error.ts'
import { channelOptions } from './channel.ts'
import { envelopeFromWire, replyToWire, requestFromWire } from './codec.ts'
import { CoordinatorContract } from './contract.ts'
import { checkOwnCertificate, clientCredentials, type TlsMaterial } from './credentials.ts'
import type { CoordinatorClient } from './generated/sluice/v1/Coordinator.ts'
import type { CoordinatorMessage__Output } from './generated/sluice/v1/CoordinatorMessage.ts'
import type { UploadPayloadRequest } from './generated/sluice/v1/UploadPayloadRequest.ts'
import { limits, PROTOCOL_VERSION } from './limits.ts'
import { fromServiceError } from './status.ts'
import { writeAll } from './streams.ts'
import { WireError, type WireErrorCode } from './wire-error.ts'

/** What a holder does with what it is asked. Never rejects: a fault of its own is a refusal, too. */
export type RequestHandler = (request: HolderRequest) => Promise<Verdict<HolderReply, string>>

/** What happens to the connection, for the holder's log. */
export interface AttendanceListener {
  onConnected(software: string): void
  /** The stream broke; the next attempt is in `retryMs`. */
  onDisconnected(error: WireError, retryMs: number): void
}

/** Waiting after these cures nothing: the files or the versions have to change. */
const FINAL_CODES: ReadonlySet<WireErrorCode> = new Set<WireErrorCode>([
  'not-admitted',
  'protocol-version',
  'wrong-peer',
  'credential-invalid',
])

const BACKOFF_FIRST_MS = 250
const BACKOFF_MAX_MS = 15_000
/** How long the coordinator has to end the stream with us when this node stops. */
const LEAVE_MS = 2000

/** A holder's one connection to its coordinator, always dialled from the holder's side. */
export class HolderConnection {
  readonly #client: CoordinatorClient
  readonly #address: string
  readonly #software: string

  /** @throws WireError by `checkOwnCertificate`; nothing is dialled yet. */
  constructor(address: string, venue: string, tls: TlsMaterial, software: string) {
    checkOwnCertificate(tls, new Date())
    this.#address = address
    this.#software = software
    this.#client = new CoordinatorContract(address, clientCredentials(tls, venue), channelOptions(venue))
  }

  /**
   * Keeps the Attend stream open and answers what comes, until the signal fires. A broken stream is dialled again, with
   * growing pauses.
   * @throws WireError with one of the codes that no waiting cures: `not-admitted`, `protocol-version`, `wrong-peer`,
   *   `credential-invalid`.
   */
  async attend(handle: RequestHandler, listener: AttendanceListener, signal: AbortSignal): Promise<void> {
    let backoffMs = BACKOFF_FIRST_MS
    while (!signal.aborted) {
      const error = await this.#attendOnce(handle, signal, (software) => {
        backoffMs = BACKOFF_FIRST_MS
        listener.onConnected(software)
      })
      if (signal.aborted) return
      if (FINAL_CODES.has(error.code)) throw error
      listener.onDisconnected(error, backoffMs)
      await sleep(backoffMs, undefined, { signal }).catch(() => undefined)
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)
    }
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
        void answer(handle, request).then((verdict) => {
          if (stream.writable) stream.write({ reply: replyToWire(request.requestId, verdict) })
        })
      })
      stream.write({ hello: { protocolVersion: PROTOCOL_VERSION, software: this.#software } })
    })
  }

  /**
   * Uploads the packed chunks of one ciphertext, in order, as fast as the coordinator takes them.
   * @returns its digest and size, as computed here and confirmed by the coordinator.
   * @throws WireError `upload-refused`, `digest-mismatch`, `coordinator-unreachable`.
   */
  async upload(planDigest: Digest, chunks: AsyncIterable<Uint8Array>): Promise<PayloadReference> {
    const digests: Digest[] = []
    let bytes = 0
    async function* messages(): AsyncGenerator<UploadPayloadRequest> {
      yield { header: { planDigest } }
      for await (const chunk of chunks) {
        digests.push(digestOf(chunk))
        bytes += chunk.length
        yield { chunk }
      }
    }
    const received = await this.#send(messages())
    const digest = payloadDigest(digests)
    if (received !== digest) {
      throw new WireError('digest-mismatch', 'The coordinator received another ciphertext than was sent: try again.')
    }
    return { digest, bytes }
  }

  #send(messages: AsyncIterable<UploadPayloadRequest>): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = this.#client.uploadPayload((error, response) => {
        if (error) reject(fromServiceError(error, this.#address))
        else resolve(response!.digest)
      })
      writeAll(call, messages).catch((error: unknown) => {
        call.cancel()
        reject(error)
      })
    })
  }

  /** The bytes of an artifact. @throws WireError `message-too-large`, `digest-mismatch`, `not-found`. */
  async fetchArtifact(digest: Digest): Promise<Uint8Array> {
    const parts: Buffer[] = []
    let total = 0
    for await (const { bytes } of this.#read(this.#client.fetchArtifact({ digest }))) {
      total += bytes.length
      if (total > limits.artifactBytes) {
        throw new WireError('message-too-large', `An artifact is over ${limits.artifactBytes} bytes: refused.`)
      }
      parts.push(bytes)
    }
    const whole = new Uint8Array(Buffer.concat(parts))
    if (digestOf(whole) !== digest) {
      throw new WireError('digest-mismatch', 'The coordinator sent another artifact than the plan names.')
    }
    return whole
  }

  /** The sealed contributions of a round, for a member of its committee. At most `most` of them are read. */
  async fetchContributions(planDigest: Digest, most: number): Promise<Envelope[]> {
    const envelopes: Envelope[] = []
    for await (const message of this.#read(this.#client.fetchContributions({ planDigest }))) {
      if (message.payload.length > limits.contributionBytes || envelopes.length >= most) {
        throw new WireError('message-too-large', 'The coordinator sent more contributions than the plan has holders.')
      }
      envelopes.push(envelopeFromWire(message, 'a contribution'))
    }
    return envelopes
  }

  async *#read<T>(stream: ClientReadableStream<T>): AsyncGenerator<T> {
    try {
      yield* stream
    } catch (error) {
      throw fromServiceError(error, this.#address)
    } finally {
      // Whoever stops reading early does not leave the call open; after its end this does nothing.
      stream.cancel()
    }
  }

  close(): void {
    this.#client.close()
  }
}

async function answer(
  handle: RequestHandler,
  message: NonNullable<CoordinatorMessage__Output['request']>,
): Promise<Verdict<HolderReply, string>> {
  try {
    return await handle(requestFromWire(message))
  } catch (error) {
    const code = error instanceof WireError ? error.code : 'holder-failed'
    return {
      ok: false,
      code,
      reason: error instanceof WireError ? error.message : 'The holder failed; its log says how.',
    }
  }
}
