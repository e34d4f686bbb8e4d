/** A holder's connection and outbox in a process of their own: uploads one ciphertext, or downloads what there is. */
import { Outbox } from '../../nodes/holder/outbox.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { chunksOf, type NetworkCase, say } from './network-case.ts'

const config: NetworkCase & {
  readonly address: string
  readonly task: 'upload' | 'download'
  readonly outbox: string
  readonly artifact?: string
} = JSON.parse(process.argv[2])
const { parameters, plan, venue, tls, idleMs } = config

let peak = 0
const measure = () => {
  peak = Math.max(peak, process.memoryUsage().rss)
}
setInterval(measure, 20)
const connection = new HolderConnection(config.address, venue, tls, 'sluice/test', { idleMs })
measure()
const atFirst = process.memoryUsage().rss
const until = AbortSignal.timeout(config.patienceMs)

if (config.task === 'upload') {
  const outbox = new Outbox(config.outbox)
  const kept = await outbox.find(plan, parameters)
  const payload = kept?.payload ?? (await outbox.begin(plan, parameters))
  const envelope = { payload: new Uint8Array(1), payloadType: 'x', signatures: [] }
  const made = kept
    ? undefined
    : payload.fill(chunksOf(config)).then(() => outbox.keep(plan, { contribution: envelope, job: envelope, payload }))
  void made?.then(() => say({ made: true }))
  const stored = await connection.upload(plan, payload, until)
  say({ uploaded: stored, grownBytes: peak - atFirst, again: kept !== undefined })
} else {
  let opened = 0
  const pieces: Uint8Array[] = []
  for await (const piece of connection.fetchOpening(plan, until)) {
    pieces.push(piece)
    opened += piece.length
    say({ opened })
  }
  say({ opening: digestOf(...pieces) })
  say({ fetched: digestOf(await connection.fetchArtifact(config.artifact!, until)) })
}
process.exit(0)
