import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import fc from 'fast-check'
import { describeEvent } from '../../../src/cli/job-progress.ts'
import { signEnvelope } from '../../../src/crypto/envelope.ts'
import { statementKeyFromSeed } from '../../../src/crypto/statement-key.ts'
import { parseJobSpecification } from '../../../src/learning/job-specification.ts'
import type { HolderReply, HolderRequest } from '../../../src/protocol/holder-messages.ts'
import { accepted, refused, type Verdict } from '../../../src/sluice-error.ts'
import {
  envelopeFromWire,
  envelopeToWire,
  replyFromWire,
  replyToWire,
  requestFromWire,
  requestToWire,
} from '../../../src/wire/codec.ts'
import { CoordinatorContract, EnrolmentContract, JobsContract } from '../../../src/wire/contract.ts'
import type { CoordinatorMessage__Output } from '../../../src/wire/generated/sluice/v1/CoordinatorMessage.ts'
import type { Envelope__Output } from '../../../src/wire/generated/sluice/v1/Envelope.ts'
import type { HolderMessage__Output } from '../../../src/wire/generated/sluice/v1/HolderMessage.ts'
import type { JobEvent__Output } from '../../../src/wire/generated/sluice/v1/JobEvent.ts'
import type { SubmitJobRequest__Output } from '../../../src/wire/generated/sluice/v1/SubmitJobRequest.ts'
import { jobEventFromWire, jobEventToWire } from '../../../src/wire/job-event-codec.ts'
import { jobsHandlers } from '../../../src/wire/jobs-service.ts'
import { type FuzzTarget, RefusedByGrpc, target } from '../fuzz-target.ts'
import { protobufMessages } from '../protobuf-messages.ts'
import { FUZZ_JOB } from './fuzz-job.ts'

const PLAN_DIGEST = 'a'.repeat(64)
const key = statementKeyFromSeed(new Uint8Array(32).fill(5))
const envelope = signEnvelope('application/vnd.sluice.v1.manifest+json', Buffer.from('{"plan":1}'), key)
const hash = new Uint8Array(32).fill(9)
const checkpoint = { note: 'venue.example/log\n1\nAAAA\n\n— a b\n', oldSize: 1, proof: [hash, hash] }
const range = { start: 3, before: [hash, hash], entries: [new Uint8Array(5), new Uint8Array(0)], payloads: [hash] }
const logged = { envelope, position: 2 ** 40, path: [hash] }

const REQUESTS: readonly HolderRequest[] = [
  {
    kind: 'contribute',
    plan: envelope,
    checkpoint,
    range,
    job: logged,
    publications: [logged],
    abandonments: [envelope],
  },
  { kind: 'cosign', checkpoint },
  { kind: 'check-shares', planDigest: PLAN_DIGEST, candidates: envelope, checkpoint, range },
  { kind: 'explain-shares', planDigest: PLAN_DIGEST, candidates: envelope, checkpoint, range },
  { kind: 'endorse', planDigest: PLAN_DIGEST, manifest: envelope, checkpoint, range },
  { kind: 'answer', planDigest: PLAN_DIGEST, certificate: envelope },
  { kind: 'hash-payload', planDigest: PLAN_DIGEST, manifest: envelope, sum: PLAN_DIGEST },
  { kind: 'abandon', plan: envelope, abandonment: envelope },
  { kind: 'published', planDigest: PLAN_DIGEST, publication: envelope },
  { kind: 'admit', statement: envelope },
]

const REPLIES: readonly Verdict<HolderReply, string>[] = [
  accepted({ kind: 'contribution', envelope }),
  accepted({ kind: 'cosignature', line: '— a b\n' }),
  accepted({ kind: 'share-check', envelope }),
  accepted({ kind: 'dealing', envelope }),
  accepted({ kind: 'endorsement', signature: envelope.signatures[0] }),
  accepted({ kind: 'share-sum', envelope }),
  accepted({ kind: 'payload-hash', envelope }),
  accepted({ kind: 'noted' }),
  accepted({ kind: 'known-size', size: 2 ** 53 - 1 }),
]

/**
 * Every message of the services, through the (de)serialisers of gRPC; those that a peer's word decides go on through the
 * codec and the service behind it.
 */
export function wireTargets(): FuzzTarget[] {
  const services: ServiceDefinition[] = [CoordinatorContract.service, EnrolmentContract.service, JobsContract.service]
  const special = new Map(specialTargets().map((each) => [each.name, each]))
  for (const method of services.flatMap((service) => Object.values(service))) {
    for (const side of ['request', 'response'] as const) {
      const descriptor = descriptorOf(method, side)
      const name = `wire: ${descriptor.name}`
      if (!special.has(name)) special.set(name, plainTarget(name, serializer(method, side), exampleOf(descriptor)))
    }
  }
  return [...special.values(), refusalTarget()]
}

interface Serializer {
  write(message: object): Uint8Array
  read(bytes: Uint8Array): object
}

interface MessageDescriptor {
  readonly name: string
  readonly field: readonly { readonly name: string; readonly type: string; readonly label: string }[]
}

function descriptorOf(method: MethodDefinition<object, object>, side: 'request' | 'response'): MessageDescriptor {
  // Of proto-loader; the type of a method as grpc-js knows it has no descriptor.
  const loaded = method as unknown as Record<`${typeof side}Type`, { readonly type: MessageDescriptor }>
  return loaded[`${side}Type`].type
}

/** A message whose scalar fields all have a value. */
function exampleOf({ field }: MessageDescriptor): object {
  const values = field.flatMap(({ name, type, label }) => {
    const value = EXAMPLES[type]
    return value === undefined ? [] : [[name, label === 'LABEL_REPEATED' ? [value, value] : value]]
  })
  return Object.fromEntries(values)
}

const EXAMPLES: Readonly<Record<string, unknown>> = {
  TYPE_STRING: 'a'.repeat(64),
  TYPE_BYTES: Buffer.from('abc'),
  TYPE_UINT32: 7,
  TYPE_UINT64: 2 ** 40,
  TYPE_DOUBLE: 0.5,
  TYPE_BOOL: true,
}

/** What gRPC makes of bytes; what it cannot read it refuses by itself. */
function serializer(method: MethodDefinition<object, object>, side: 'request' | 'response'): Serializer {
  const [write, parse] =
    side === 'request'
      ? [method.requestSerialize, method.requestDeserialize]
      : [method.responseSerialize, method.responseDeserialize]
  return {
    write: (message) => new Uint8Array(write(message)),
    read: (bytes) => {
      try {
        return parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      } catch (error) {
        const { message } = error as Error
        if (MALFORMED_PROTOBUF.test(message)) throw new RefusedByGrpc(message)
        throw error
      }
    },
  }
}

/** All that protobuf's reader complains of; anything else from it is a finding. */
const MALFORMED_PROTOBUF =
  /^(index out of range|invalid wire type |maximum nesting depth exceeded|invalid varint|illegal (tag|buffer)|invalid end group|invalid length|missing required)/

function plainTarget(name: string, { write, read }: Serializer, example: object): FuzzTarget {
  return target({
    name,
    corpus: [write({}), write(example)],
    decode: read,
    encode: write,
    roundTrip: 'value',
    structured: protobufMessages(),
    allocation: MESSAGE_ALLOCATION,
  })
}

/**
 * An empty submessage is two bytes on the wire and an object with all its defaults in memory. With the 4 MiB that a message
 * may have the product stays within what a process has.
 */
const MESSAGE_ALLOCATION = { fixedBytes: 1024 * 1024, perInputByte: 256 }

function specialTargets(): FuzzTarget[] {
  const { Attend } = CoordinatorContract.service
  const requests = serializer(Attend as unknown as MethodDefinition<object, object>, 'response')
  const replies = serializer(Attend as unknown as MethodDefinition<object, object>, 'request')
  return [
    target({
      name: 'wire: CoordinatorMessage',
      corpus: [...REQUESTS.map((request) => requests.write({ request: requestToWire('id', request) }))],
      decode: (bytes) => {
        const { request } = requests.read(bytes) as CoordinatorMessage__Output
        return request ? requestFromWire(request) : refused('no-request', 'A welcome, or nothing.')
      },
      encode: (request) => requests.write({ request: requestToWire('id', request) }),
      roundTrip: 'value',
      structured: protobufMessages(),
      allocation: MESSAGE_ALLOCATION,
    }),
    target({
      name: 'wire: HolderMessage',
      corpus: REPLIES.map((reply) => replies.write({ reply: replyToWire('id', reply) })),
      decode: (bytes) => {
        const { reply } = replies.read(bytes) as HolderMessage__Output
        return reply ? replyFromWire(reply) : refused('no-reply', 'a hello, or nothing')
      },
      encode: (reply) => replies.write({ reply: replyToWire('id', accepted(reply)) }),
      roundTrip: 'value',
      structured: protobufMessages(),
      allocation: MESSAGE_ALLOCATION,
    }),
    envelopeTarget(),
    jobEventTarget(),
    submitTarget(),
  ]
}

function envelopeTarget(): FuzzTarget {
  const method = CoordinatorContract.service.FetchContributions as unknown as MethodDefinition<object, object>
  const { write, read } = serializer(method, 'response')
  return target({
    name: 'wire: Envelope',
    corpus: [write(envelopeToWire(envelope)), write({ payloadType: 'x' })],
    decode: (bytes) => {
      return envelopeFromWire(read(bytes) as Envelope__Output, 'it')
    },
    encode: (value) => write(envelopeToWire(value)),
    roundTrip: 'value',
    structured: protobufMessages(),
    allocation: MESSAGE_ALLOCATION,
  })
}

function jobEventTarget(): FuzzTarget {
  const { write, read } = serializer(
    JobsContract.service.Watch as unknown as MethodDefinition<object, object>,
    'response',
  )
  const at = new Date('2026-03-01T12:00:00.000Z')
  const durations = { collectMs: 1, certifyMs: 2, answerMs: 3, openMs: 4, publishMs: 5, totalMs: 15 }
  const accuracy = { value: 0.5, errorBound: 0.01 }
  const evaluation = { exampleCount: 3, meanLoss: 0.5, accuracy, auc: null }
  const published = {
    round: 1,
    step: 'training',
    contributors: ['a'],
    ciphertextBytes: 5,
    statementBytes: 6,
    durations,
  }
  const events = [
    { kind: 'job-state', state: 'failed', reason: 'x' },
    { kind: 'round-planned', round: 1, step: 'training', holders: ['a', 'b'] },
    { kind: 'round-abandoned', round: 1, step: 'training', reason: 'x' },
    { kind: 'holder-refused', round: 1, holder: 'a', code: 'x', reason: 'y' },
    { kind: 'round-published', ...published, evaluation, modelVersion: 2 },
  ] as unknown as Parameters<typeof jobEventToWire>[0]['event'][]
  return target({
    name: 'wire: JobEvent',
    corpus: events.map((event, sequence) => write(jobEventToWire({ sequence, at, event }))),
    decode: (bytes) => {
      const event = jobEventFromWire(read(bytes) as JobEvent__Output)
      // What a client prints must be there.
      describeEvent(event)
      return event
    },
    encode: (event) => write(jobEventToWire(event)),
    roundTrip: 'value',
    structured: protobufMessages(),
    allocation: MESSAGE_ALLOCATION,
  })
}

/** A job as it arrives at the coordinator, through the handler of the service. */
function submitTarget(): FuzzTarget {
  const method = JobsContract.service.Submit as unknown as MethodDefinition<object, object>
  const { write, read } = serializer(method, 'request')
  const submitted: unknown[] = []
  const desk = {
    submit: async (specification: unknown) => {
      submitted.push(parseJobSpecification(specification))
      return PLAN_DIGEST
    },
  } as unknown as Parameters<typeof jobsHandlers>[1]
  const researcher = {
    sslPeerCertificate: { subjectaltname: 'URI:spiffe://hearts.example/researcher/ada', serialNumber: '01' },
  }
  const submit = (request: SubmitJobRequest__Output) =>
    new Promise((resolve, reject) => {
      const certificates = { isRevoked: () => false }
      const handlers = jobsHandlers({ venue: 'hearts.example', certificates, onFault: reject }, desk)
      const call = { request, getAuthContext: () => researcher }
      handlers.Submit(call as never, (status) => {
        const [, code, reason] = /^([a-z-]+): (.*)$/s.exec((status as { details?: string } | null)?.details ?? '') ?? []
        resolve(status ? refused(code ?? '', reason ?? '') : accepted(submitted.pop()))
      })
    })
  const specification = (value: unknown) => Buffer.from(JSON.stringify(value))
  return target({
    name: 'wire: SubmitJobRequest',
    corpus: [write({ specification: specification(FUZZ_JOB) })],
    decode: (bytes) => submit(read(bytes) as SubmitJobRequest__Output),
    structured: fc.json().map((text) => write({ specification: Buffer.from(text) })),
    allocation: MESSAGE_ALLOCATION,
  })
}

/** What a coordinator's error says to a client; its details are any text. */
function refusalTarget(): FuzzTarget {
  const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))
  return target({
    name: 'wire: refusal of a peer',
    corpus: [bytesOf('not-found: There is no such job.')],
    decode: (bytes) => {
      const text = Buffer.from(bytes).toString('utf8')
      const verdict = replyFromWire({
        requestId: 'id',
        reply: 'refusal',
        refusal: { code: text.slice(0, 40), reason: text },
      } as Parameters<typeof replyFromWire>[0])
      if (verdict.ok) throw new Error('a refusal was taken for a reply')
      if (/\p{C}/u.test(verdict.reason)) throw new Error('a refusal brings control characters to a terminal')
      return [verdict.code, verdict.reason]
    },
  })
}
