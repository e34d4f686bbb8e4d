import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Envelope } from '../crypto/envelope.ts'
import { REGISTRY_SIGNATURES_MAX } from '../protocol/registry-statements.ts'
import { envelopeToWire, signatureFromWire } from './codec.ts'
import type { Envelope__Output, Envelope as ProtoEnvelope } from './generated/sluice/v1/Envelope.ts'
import type { FetchRegistryRequest__Output } from './generated/sluice/v1/FetchRegistryRequest.ts'
import { type FaultListener, toStatus } from './status.ts'
import { writeAll } from './streams.ts'
import { WireError } from './wire-error.ts'

/** What a coordinator says of its registry: `AdmissionDesk` is one. */
export interface RegistrySource {
  /** Statements after a number, in order; a page of them, empty after the last. */
  statementsAfter(sequence: number): Promise<Envelope[]>
}

/**
 * Answers FetchRegistry with one page.
 * @param requireCaller who may read it; throws the WireError that the caller gets
 */
export async function serveRegistry(
  call: ServerWritableStream<FetchRegistryRequest__Output, ProtoEnvelope>,
  source: RegistrySource,
  requireCaller: () => void,
  onFault?: FaultListener,
): Promise<void> {
  try {
    requireCaller()
    const statements = await source.statementsAfter(call.request.afterSequence)
    await writeAll(call, statements.map(envelopeToWire))
  } catch (error) {
    call.emit('error', toStatus(error, onFault))
  }
}

/** A page has 100 statements; one of 320 signatures, with as many in its request, has some 170 kB. */
const PAGE_STATEMENTS_MAX = 1000
const PAGE_BYTES_MAX = 64 * 1024 * 1024

/**
 * The page that a FetchRegistry call gives.
 * @throws WireError `message-too-large` for more than a page may have, `malformed-message`
 */
export async function readRegistryPage(messages: AsyncIterable<Envelope__Output>): Promise<Envelope[]> {
  const page: Envelope[] = []
  let bytes = 0
  for await (const message of messages) {
    bytes += message.payload.length
    const { payload, payloadType, signatures } = message
    if (page.length >= PAGE_STATEMENTS_MAX || bytes > PAGE_BYTES_MAX || signatures.length > REGISTRY_SIGNATURES_MAX) {
      throw new WireError('message-too-large', 'The coordinator sent more of its registry than a page may have.')
    }
    page.push({
      payload: new Uint8Array(payload),
      payloadType,
      signatures: signatures.map((signature) => signatureFromWire(signature, 'a registry statement')),
    })
  }
  return page
}
