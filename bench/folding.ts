/**
 * Adding ciphertexts up by one and by two worker processes of a thread each, over a PostgreSQL of its own and a directory of blobs:
 * what `sluice coordinator worker` does, from the parts being put up to the last being added up. Every sum is compared.
 *
 *     npm run bench:folding [-- --holders 16 --parts 8] [--json]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { stringify as toYaml } from 'yaml'
import { SluiceProcess } from '../src/cli/demo/demo-processes.ts'
import { foldCiphertexts } from '../src/coordinator/fold-ciphertexts.ts'
import { PART_CHUNKS } from '../src/coordinator/ports.ts'
import { startPayloadWorkers } from '../src/crypto/payload-workers.ts'
import { planParameters } from '../src/protocol/round-plan.ts'
import { openCoordinatorStore } from '../src/store/coordinator-store.ts'
import { openDirectoryBlobStore } from '../src/store/directory-blob-store.ts'
import { storesOver } from '../src/store/stores-over.ts'
import { OwnPostgres } from '../test/support/own-postgres.ts'
import { sealPayloads } from '../test/support/sealed-payloads.ts'
import { round, summarise } from './measure.ts'

const { values: options } = parseArgs({
  options: {
    holders: { type: 'string', default: '16' },
    parts: { type: 'string', default: '8' },
    json: { type: 'boolean', default: false },
  },
})
const RUNS = 3
const parts = Number(options.parts)
const names = Array.from({ length: Number(options.holders) }, (_, i) => `holder-${i}`)

const root = mkdtempSync(join(tmpdir(), 'sluice-folding-'))
const postgres = await OwnPostgres.start()
const store = await openCoordinatorStore({ databaseUrl: postgres.url })
const pool = await startPayloadWorkers({ threads: 1 })
const { spool, openings } = storesOver(await openDirectoryBlobStore(join(root, 'blobs')))
const address = '127.0.0.1:7443'
const listeners = { listen: address, address, enrolListen: address, enrolAddress: address, logListen: address }
const blobs = pathToFileURL(join(root, 'blobs')).href
writeFileSync(join(root, 'coordinator.yaml'), toYaml({ venue: 'bench.test', ...listeners, payloadThreads: 1, blobs }))

/** @returns milliseconds until all parts are added up */
async function foldOnce(): Promise<{ readonly ms: number; readonly joinMs: number; readonly bytes: number }> {
  const { round: sealed, sum } = await sealPayloads(parts * PART_CHUNKS, names, { store, spool, workers: pool })
  const { planDigest, plan } = sealed
  const started = performance.now()
  await store.addFoldParts(planDigest, parts)
  while (!(await store.listFoldParts(planDigest)).every(({ digest }) => digest)) await sleep(5)
  const added = performance.now()
  const joined = await foldCiphertexts(sealed, { store, spool, openings, workers: pool }, new AbortController().signal)
  if (joined !== sum) throw new Error('the sum is another one')
  const joinMs = performance.now() - added
  await store.setRoundPhase(planDigest, 'abandoned', { reason: 'measured' })
  await Promise.all([spool.discard(planDigest), openings.discard(planDigest)])
  return { ms: added - started, joinMs, bytes: planParameters(plan).ciphertextBytes }
}

const workers: SluiceProcess[] = []
try {
  const medians: number[] = []
  for (const count of [1, 2]) {
    const args = ['coordinator', 'worker', '--directory', root, '--database-url', postgres.url]
    workers.push(new SluiceProcess(`worker ${count}`, args))
    await workers.at(-1)!.ready('working')
    const runs: Awaited<ReturnType<typeof foldOnce>>[] = []
    for (let i = 0; i < RUNS; i++) runs.push(await foldOnce())
    const { medianMs } = summarise(runs.map(({ ms }) => ms))
    medians.push(medianMs)
    const mebibytes = (runs[0].bytes * names.length) / 2 ** 20
    const row = {
      workers: count,
      holders: names.length,
      parts,
      ciphertextsMiB: round(mebibytes),
      foldMs: medianMs,
      MiBPerSecond: round((mebibytes / medianMs) * 1000),
      joinMs: summarise(runs.map(({ joinMs }) => joinMs)).medianMs,
      speedUp: round(medians[0] / medianMs),
    }
    console.log(options.json ? JSON.stringify(row) : Object.entries(row).flat().join(' '))
  }
} finally {
  await Promise.all(workers.map((worker) => worker.stop()))
  await Promise.all([store.close(), pool.close()])
  await postgres.close()
  rmSync(root, { recursive: true })
}
