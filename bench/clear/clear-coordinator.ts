/** The coordinator of federated averaging in the clear: `--directory <venue> --job <file> --listen <host:port> --holders <count>`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Server, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js'
import { loadVenue } from '../../src/cli/venue-files.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { parseJobSpecification } from '../../src/learning/job-specification.ts'
import { type JobStep, jobSteps } from '../../src/learning/job-steps.ts'
import { initialModel, outputReading } from '../../src/learning/round-output.ts'
import { WEIGHTED_UPDATE } from '../../src/learning/training-vector.ts'
import { artifactStoreOver } from '../../src/store/artifact-store.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { serverCredentials } from '../../src/wire/credentials.ts'
import { limits } from '../../src/wire/limits.ts'
import { bindServer } from '../../src/wire/server.ts'
import { writeAll } from '../../src/wire/streams.ts'
import { clearService, decodeClear, encodeClear } from './clear-wire.ts'

const { values: options } = parseArgs({
  options: {
    directory: { type: 'string' },
    job: { type: 'string' },
    listen: { type: 'string' },
    holders: { type: 'string' },
  },
})
const venue = await loadVenue(options.directory!)
const specification = parseJobSpecification(JSON.parse(readFileSync(options.job!, 'utf8')))
const job = digestOf(readFileSync(options.job!))
const artifacts = artifactStoreOver(await openDirectoryBlobStore(join(options.directory!, 'state', 'clear')))
type Stream = ServerDuplexStream<Buffer, Buffer>

/** What has come in of one round. */
interface Sum {
  readonly segments: Map<string, Float64Array>
  update: Float64Array
  /** Values that are still to come, over all holders. */
  missing: number
  /** Holders that have begun. */
  begun: number
}

let sum: Sum
let whole: (() => void) | undefined
const streams: Stream[] = []
const { promise: complete, resolve: allHere } = Promise.withResolvers<void>()

const server = new Server({ 'grpc.max_receive_message_length': limits.requestBytes })
server.addService(clearService, {
  attend: (stream: Stream) => stream.on('data', (bytes: Buffer) => take(stream, bytes)),
  fetch: (call: ServerWritableStream<Buffer, Buffer>) => void writeAll(call, artifactOf(call.request.toString())),
})

async function* artifactOf(digest: string): AsyncGenerator<Buffer> {
  for await (const piece of artifacts.read(digest, 0)) yield Buffer.from(piece)
}

function take(stream: Stream, bytes: Buffer): void {
  const { message, payload } = decodeClear(bytes)
  switch (message.kind) {
    case 'hello':
      streams.push(stream)
      if (streams.length === Number(options.holders)) allHere()
      return
    case 'values':
      for (const [name, values] of message.segments) {
        const total = sum.segments.get(name) ?? new Float64Array(values.length)
        for (let i = 0; i < values.length; i++) total[i] += values[i]
        sum.segments.set(name, total)
      }
      if (sum.update.length < message.updateLength) sum.update = new Float64Array(message.updateLength)
      sum.missing += message.updateLength
      sum.begun++
      break
    case 'update': {
      const copy = new Uint8Array(payload)
      const values = new Float32Array(copy.buffer)
      for (let i = 0; i < values.length; i++) sum.update[message.at + i] += values[i]
      sum.missing -= values.length
    }
  }
  if (sum.begun === streams.length && sum.missing === 0) whole?.()
}

async function runRound(step: JobStep, round: number, inputs: Record<string, string>) {
  const started = performance.now()
  sum = { segments: new Map(), update: new Float64Array(0), missing: 0, begun: 0 }
  const arrived = new Promise<void>((resolve) => {
    whole = resolve
  })
  for (const stream of streams) {
    stream.write(encodeClear({ kind: 'compute', step, round, inputs: Object.entries(inputs) }))
  }
  await arrived
  const loadModel = () => artifacts.get(inputs.model)
  const reading = outputReading({ job, specification, step, loadModel })
  const reader = await reading.begin(sum.segments, streams.length)
  if (reading.streamed === WEIGHTED_UPDATE) reader.take(sum.update)
  const { name, pieces } = reader.end('')
  const digest = await artifacts.put(pieces)
  console.log(JSON.stringify({ event: 'round', step, round, ms: performance.now() - started }))
  return { name, digest }
}

await bindServer(server, options.listen!, serverCredentials(venue.tls))
console.log(JSON.stringify({ event: 'listening' }))
await complete
console.log(JSON.stringify({ event: 'complete' }))
const started = performance.now()
const inputs: Record<string, string> = { model: await artifacts.put(initialModel(job, specification)) }
const [statistics, training, evaluation] = jobSteps
let round = 0
const run = async (step: JobStep, from: Record<string, string>) => {
  const { name, digest } = await runRound(step, ++round, from)
  inputs[name] = digest
}
await run(statistics, {})
for (let i = 0; i < specification.training.rounds; i++) {
  await run(training, { statistics: inputs.statistics, model: inputs.model })
}
await run(evaluation, { statistics: inputs.statistics, model: inputs.model })
console.log(JSON.stringify({ event: 'done', ms: performance.now() - started }))
for (const stream of streams) stream.end()
server.forceShutdown()
