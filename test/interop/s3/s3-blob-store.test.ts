import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../../nodes/examples/heart/jobs.ts'
import { checkBlobs } from '../../../src/cli/doctor/check-blobs.ts'
import { openBlobStore } from '../../../src/store/open-blob-store.ts'
import { storesOver } from '../../../src/store/stores-over.ts'
import { describeArtifactStore } from '../../contract/artifact-store.contract.ts'
import { describeBlobStore } from '../../contract/blob-store.contract.ts'
import { describePayloadSpool } from '../../contract/payload-spool.contract.ts'
import { InProcessVenue } from '../../support/in-process-venue.ts'

/*
 * The blobs in a bucket of a server that is not ours: moto, in Python, which speaks S3 over HTTP and keeps its objects in memory. Its version
 * and those of what it needs are pinned in requirements.txt.
 */

const run = promisify(execFile)
const INSTALL_TIMEOUT_MS = 300_000

const enabled = process.env.SLUICE_INTEROP === '1'
const why = enabled ? '' : ' (skipped: needs Python 3.11 with venv and PyPI; set SLUICE_INTEROP=1)'
const SECRET = 'a-secret-of-this-test'
const credentials = { AWS_ACCESS_KEY_ID: 'a-key-of-this-test', AWS_SECRET_ACCESS_KEY: SECRET }

let directory: string
let server: ChildProcess
let endpoint: string
let client: S3Client

const urlOf = (place: string, at = endpoint) => `s3://${place}?endpoint=${at}&region=eu-central-1&pathStyle=true`
const open = (place = 'sluice-test/venue') => openBlobStore(urlOf(place), '/nowhere')

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => listener.once('listening', resolve))
  const { port } = listener.address() as { port: number }
  await new Promise((resolve) => listener.close(resolve))
  return port
}

async function startMoto(): Promise<void> {
  const port = await freePort()
  endpoint = `http://127.0.0.1:${port}`
  server = spawn(join(directory, 'venv/bin/moto_server'), ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  while (!(await fetch(endpoint).catch(() => undefined))) {
    if (server.exitCode !== null) throw new Error(`moto ended with ${server.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe.skipIf(!enabled)(`blobs in a bucket, at a server from outside${why}`, () => {
  beforeAll(async () => {
    Object.assign(process.env, credentials)
    directory = mkdtempSync(join(tmpdir(), 'sluice-s3-'))
    await run('python3', ['-m', 'venv', join(directory, 'venv')])
    const requirements = join(import.meta.dirname, 'requirements.txt')
    await run(join(directory, 'venv/bin/pip'), ['install', '--quiet', '--requirement', requirements])
    await startMoto()
    client = new S3Client({ endpoint, region: 'eu-central-1', forcePathStyle: true })
    await client.send(
      new CreateBucketCommand({
        Bucket: 'sluice-test',
        CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' },
      }),
    )
  }, INSTALL_TIMEOUT_MS)

  afterAll(async () => {
    client?.destroy()
    if (server?.exitCode === null) {
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGKILL')
      await ended
    }
    rmSync(directory, { recursive: true, force: true })
  })

  describeBlobStore('S3', open)
  describeBlobStore('S3, at the root of a bucket', () => open('sluice-test'))
  describeArtifactStore('S3', async () => storesOver(await open()).artifacts)
  describePayloadSpool('S3', async () => storesOver(await open()).spool)

  it('carries a whole job, and has none of its ciphertexts afterwards', { timeout: 120_000 }, async () => {
    const blobs = await open('sluice-test/jobs')
    const venue = await InProcessVenue.open(() => ({}), blobs)
    try {
      const { coordinator, stopped } = venue.startCoordinator()
      const job = await coordinator.submit(heartJob('logistic', 'ab'.repeat(32), 2), 'ada')
      let state = ''
      for await (const { event } of coordinator.watch(job, 0, new AbortController().signal)) {
        if (event.kind === 'job-state') state = event.state
      }
      coordinator.stop()
      await stopped
      expect(venue.faults).toEqual([])
      expect(state).toBe('completed')
      expect(readdirSync(venue.directory)).not.toContain('artifacts')
      for (const { digest } of await venue.store.listJobOutputs(job)) {
        expect(await blobs.size(`artifacts/${digest}`)).toBeGreaterThan(0)
      }
      expect(await venue.spool.plans()).toEqual([])
      expect(await venue.openings.plans()).toHaveLength(4)
    } finally {
      await venue.close()
    }
  })

  it('is tried by the doctor, who leaves nothing behind', async () => {
    const url = urlOf('sluice-test/doctor')
    expect(await checkBlobs(url, '/nowhere')).toMatchObject({ state: 'ok' })
    expect(await (await open('sluice-test/doctor')).list('doctor')).toEqual([])
    await expect(checkBlobs(urlOf('no-such-bucket'), '/nowhere')).rejects.toMatchObject({ code: 'blobs-refused' })
  })

  it('keeps venues with two prefixes apart', async () => {
    const [one, other] = [await open('sluice-test/one'), await open('sluice-test/one-more')]
    await one.put('a/b', randomBytes(1))
    await other.put('a/c', randomBytes(2))
    expect(await one.list('a')).toEqual(['a/b'])
    expect(await other.list('a')).toEqual(['a/c'])
    await one.delete('a')
    expect(await other.size('a/c')).toBe(2)
  })

  it('leaves no part of an upload whose pieces ended in an error', async () => {
    const blobs = await open()
    async function* failing() {
      yield new Uint8Array(20_000_000)
      throw new Error('no more')
    }
    await expect(blobs.put('half', failing())).rejects.toThrow('no more')
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: 'sluice-test' }))
    expect(Uploads).toEqual([])
  })

  /** All that an error says, to whoever logs it. */
  const shown = (error: unknown): string =>
    JSON.stringify(error, Object.getOwnPropertyNames(error)) + String((error as Error).stack)

  it('says what is wrong with a bucket that is not there, before anything rests on it', async () => {
    const error = await open('no-such-bucket').catch((fault) => fault)
    expect(error).toMatchObject({
      name: 'StoreError',
      code: 'blobs-refused',
      message: expect.stringContaining('no-such-bucket'),
    })
    expect(shown(error)).not.toMatch(/a-secret|a-key-of/)
  })

  it('says that a server cannot be reached, or does not answer as one, and shows no credentials', {
    timeout: 60_000,
  }, async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`
    const sockets = new Set<Socket>()
    const hangingUp = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    hangingUp.on('connection', (socket) => sockets.add(socket))
    await new Promise((resolve) => hangingUp.once('listening', resolve))
    const cutting = `http://127.0.0.1:${(hangingUp.address() as { port: number }).port}`
    for (const at of [nobody, cutting]) {
      const error = await openBlobStore(urlOf('sluice-test', at), '/nowhere').catch((fault) => fault)
      expect(error).toMatchObject({ name: 'StoreError', code: 'blobs-unreachable' })
      expect(shown(error)).not.toMatch(/a-secret|a-key-of/)
    }
    expect(sockets.size).toBeGreaterThan(1)
    hangingUp.close()
  })

  it('says that there are no credentials, or no region', { timeout: 60_000 }, async () => {
    const saved = { ...process.env }
    try {
      for (const name of Object.keys(credentials)) delete process.env[name]
      Object.assign(process.env, {
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
        AWS_CONFIG_FILE: '/nowhere',
      })
      await expect(open()).rejects.toMatchObject({ code: 'blobs-refused' })
      delete process.env.AWS_REGION
      await expect(openBlobStore('s3://sluice-test', '/nowhere')).rejects.toMatchObject({ code: 'blobs-refused' })
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name]
      Object.assign(process.env, saved)
    }
  })
})
