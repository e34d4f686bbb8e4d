/** A holder of federated averaging in the clear: `--directory <holder> --job <file> --coordinator <host:port> --trainer tfjs|cheap`. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type ClientDuplexStream, type ClientReadableStream, makeGenericClientConstructor } from '@grpc/grpc-js'
import { JobWorkspace } from '../../nodes/holder/compute-step.ts'
import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { openDataset } from '../../nodes/holder/datasets.ts'
import { openTrainerThread } from '../../nodes/trainers/tfjs/trainer-thread.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { parseJobSpecification } from '../../src/learning/job-specification.ts'
import type { JobStep } from '../../src/learning/job-steps.ts'
import { WEIGHTED_UPDATE } from '../../src/learning/training-vector.ts'
import { channelOptions } from '../../src/wire/channel.ts'
import { clientCredentials } from '../../src/wire/credentials.ts'
import { openCheapTrainer } from '../venue/cheap-trainer.ts'
import { type ClearMessage, clearService, decodeClear, encodeClear, PIECE_BYTES } from './clear-wire.ts'

const { values: options } = parseArgs({
  options: {
    directory: { type: 'string' },
    job: { type: 'string' },
    coordinator: { type: 'string' },
    trainer: { type: 'string' },
  },
})
const { config, tls, directory } = await loadHolderSettings(options.directory!)
const specification = parseJobSpecification(JSON.parse(readFileSync(options.job!, 'utf8')))
const job = digestOf(readFileSync(options.job!))
const dataset = await openDataset(config.datasets[0], { baseDirectory: directory })
const trainer = options.trainer === 'cheap' ? openCheapTrainer() : openTrainerThread({ backend: config.trainerBackend })
const workspace = new JobWorkspace(job, specification, dataset, trainer, () => {})

const Client = makeGenericClientConstructor(clearService, 'Clear')
const client = new Client(
  options.coordinator!,
  clientCredentials(tls, config.venue),
  channelOptions(config.venue),
) as unknown as {
  attend(): ClientDuplexStream<Buffer, Buffer>
  fetch(request: Buffer): ClientReadableStream<Buffer>
}

async function fetchArtifact(digest: string): Promise<Uint8Array> {
  const parts: Buffer[] = []
  for await (const piece of client.fetch(Buffer.from(digest))) parts.push(piece)
  return new Uint8Array(Buffer.concat(parts))
}

const stream = client.attend()
const write = async (message: Buffer) => {
  if (!stream.write(message)) await new Promise((resolve) => stream.once('drain', resolve))
}

async function contribute({ step, round, inputs }: Extract<ClearMessage, { kind: 'compute' }>): Promise<void> {
  const values = await workspace.compute(step as JobStep, round, new Map(inputs), fetchArtifact, config.name)
  const update = (values.get(WEIGHTED_UPDATE) ?? new Float32Array(0)) as Float32Array
  const segments = [...values].flatMap(([name, numbers]): [string, number[]][] =>
    name === WEIGHTED_UPDATE ? [] : [[name, Array.from(numbers)]],
  )
  await write(encodeClear({ kind: 'values', segments, updateLength: update.length }))
  for (let at = 0; at < update.length; at += PIECE_BYTES / 4) {
    const piece = update.subarray(at, at + PIECE_BYTES / 4)
    const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength)
    await write(encodeClear({ kind: 'update', at }, bytes))
  }
}

stream.on('data', (bytes: Buffer) => {
  const { message } = decodeClear(bytes)
  if (message.kind === 'compute') void contribute(message)
})
stream.on('end', () => process.exit(0))
stream.on('error', () => process.exit(1))
stream.write(encodeClear({ kind: 'hello', holder: config.name }))
