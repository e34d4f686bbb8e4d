/** The researcher's commands, each with and without --json, against a real server before a desk of the test's own. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { CoordinatorError } from '../../src/coordinator/coordinator-error.ts'
import type { JobDesk, JobOutput, JobRecord, JobState, StoredJobEvent } from '../../src/coordinator/ports.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { jobStatement, parseJobSpecification } from '../../src/learning/job-specification.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { joinKeyAndCertificate } from '../../src/wire/credentials.ts'
import { runSluice } from '../support/processes.ts'
import { coordinatorKey } from '../support/round-fixtures.ts'
import { startTestServer, type TestServer, VENUE } from '../support/wire-fixtures.ts'

const MODEL = Buffer.from('the latest model')
const specification = heartJob('logistic', 'ab'.repeat(32), 2)
const at = new Date('2026-03-01T12:00:00.000Z')

function recordOf(nonce: string, state: JobState, reason?: string): JobRecord {
  const body = {
    specification: parseJobSpecification(specification),
    submittedBy: 'ada',
    submittedAt: at.toISOString(),
    nonce,
  }
  const envelope = signStatement(jobStatement, body, coordinatorKey)
  const ended = state === 'running' ? {} : { endedAt: at }
  return { job: statementDigest(envelope), envelope, state, submittedAt: at, ...ended, ...(reason ? { reason } : {}) }
}

const completed = recordOf('1'.repeat(64), 'completed')
const failed = recordOf('2'.repeat(64), 'failed', 'too few holders')
const running = recordOf('3'.repeat(64), 'running')
const records = [running, failed, completed]
const outputs: JobOutput[] = [
  { name: 'model', version: 0, digest: digestOf(Buffer.from('the first model')) },
  { name: 'model', version: 1, digest: digestOf(MODEL) },
]
const submitted: unknown[] = []

function find(job: string): JobRecord {
  const record = records.find((known) => known.job === job)
  if (!record) throw new CoordinatorError('job-not-found', `There is no job ${job}.`)
  return record
}

const desk: JobDesk = {
  submit: async (wanted, by) => {
    submitted.push([wanted, by])
    return completed.job
  },
  list: async (limit) => records.slice(0, limit),
  result: async (job) => ({ record: find(job), outputs: job === completed.job ? outputs : [] }),
  async *watch(job): AsyncGenerator<StoredJobEvent> {
    const { state, reason } = find(job)
    yield { sequence: 1, at, event: { kind: 'job-state', state: 'running' } }
    yield { sequence: 2, at, event: { kind: 'job-state', state, ...(reason ? { reason } : {}) } }
  },
  cancel: async (job) => find(job).state === 'running',
  output: async () => MODEL,
}

let root: string
let server: TestServer
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-jobs-'))
  server = await startTestServer(
    { expectedPayload: () => undefined, contributionsFor: () => undefined, openingFor: () => undefined },
    { jobs: desk },
  )
  const tls = await server.credentials('researcher', 'ada')
  mkdirSync(join(root, 'ada/secrets'), { recursive: true })
  writeFileSync(join(root, 'ada/researcher.yaml'), `name: ada\nvenue: ${VENUE}\ncoordinator: ${server.address}\n`)
  writeFileSync(join(root, 'ada/secrets/tls.pem'), joinKeyAndCertificate(tls))
  writeFileSync(join(root, 'ada/authority.pem'), tls.authorityPem)
  writeFileSync(join(root, 'job.json'), JSON.stringify(specification))
})
afterAll(async () => {
  await server.close()
  rmSync(root, { recursive: true })
})

/** Runs a command of the researcher's as is, and with --json. */
async function run(command: string, ...args: string[]) {
  const asResearcher = ['job', command, ...args, '--as', join(root, 'ada')]
  const [plain, json] = await Promise.all([runSluice(asResearcher), runSluice([...asResearcher, '--json'])])
  return {
    plain,
    json,
    objects: json.stdout
      .trim()
      .split('\n')
      .map((line) => (line ? JSON.parse(line) : undefined)),
  }
}

describe('sluice job', () => {
  it('submit prints the id, and with --watch the rounds', async () => {
    const { plain, objects } = await run('submit', join(root, 'job.json'))
    expect(plain).toMatchObject({ code: 0, stdout: `${completed.job}\n`, stderr: '' })
    expect(objects).toEqual([{ job: completed.job }])
    expect(submitted).toEqual([
      [specification, 'ada'],
      [specification, 'ada'],
    ])
    const watched = await run('submit', join(root, 'job.json'), '--watch')
    expect(watched.plain.stdout).toMatch(/job running\n.*job completed\n$/)
    expect(watched.objects.at(-1)).toMatchObject({ sequence: 2, event: { kind: 'job-state', state: 'completed' } })
  })

  it('list shows the latest first, as many as asked for', async () => {
    const { plain, objects } = await run('list', '--limit', '2')
    const lines = plain.stdout.trim().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain(running.job.slice(0, 12))
    expect(lines[1]).toMatch(/failed.*heart logistic {2}\(too few holders\)/)
    expect(objects[0]).toMatchObject([
      { job: running.job, state: 'running', submittedBy: 'ada' },
      { job: failed.job, state: 'failed', reason: 'too few holders', endedAt: at.toISOString() },
    ])
  })

  it('watch ends with 0 for a job that completes, and with 1 and the reason for one that fails', async () => {
    const good = await run('watch', completed.job)
    expect([good.plain.code, good.json.code]).toEqual([0, 0])
    const bad = await run('watch', failed.job.slice(0, 8))
    expect([bad.plain.code, bad.json.code]).toEqual([1, 1])
    expect(bad.plain.stdout).toContain('job failed: too few holders')
    expect(bad.plain.stderr).toContain('The job ended failed: too few holders [job-failed]')
    expect(bad.objects.map(({ sequence }) => sequence)).toEqual([1, 2])
  })

  it('result writes the latest version of everything the job made', async () => {
    const out = join(root, 'out')
    const { plain, objects } = await run('result', completed.job, '--out', out)
    expect(plain).toMatchObject({ code: 0, stdout: `wrote ${out}/model.safetensors\n` })
    expect(objects).toEqual([
      { job: completed.job, state: 'completed', modelVersion: 1, files: [`${out}/model.safetensors`] },
    ])
    expect(readdirSync(out)).toEqual(['model.safetensors'])
    expect(readFileSync(join(out, 'model.safetensors'))).toEqual(MODEL)
    const nothing = await run('result', failed.job, '--out', out)
    expect(nothing.plain).toMatchObject({ code: 1, stderr: expect.stringContaining('has made nothing yet') })
  })

  it('cancel says whether there was something left to cancel', async () => {
    const first = await run('cancel', running.job)
    expect(first.plain.stdout).toBe('cancelled\n')
    expect(first.objects).toEqual([{ cancelled: true }])
    const late = await run('cancel', completed.job)
    expect(late.plain.stdout).toBe('had ended before\n')
    expect(late.objects).toEqual([{ cancelled: false }])
  })

  it('names a job that does not exist, and an id that is not one job’s, whatever is asked of it', async () => {
    const ask = (command: string, id: string) => runSluice(['job', command, id, '--as', join(root, 'ada')])
    const unknown = await Promise.all(['watch', 'result', 'cancel'].map((command) => ask(command, 'f'.repeat(64))))
    for (const { code, stderr } of unknown) {
      expect(code).toBe(1)
      expect(stderr).toContain('[job-not-found]')
      expect(stderr).not.toMatch(/\n\s+at /)
    }
    const unclear = await ask('watch', 'zzzzzz')
    expect(unclear.code).not.toBe(0)
    expect(unclear.stderr).toContain('No jobs begin with "zzzzzz"')
  })
})
