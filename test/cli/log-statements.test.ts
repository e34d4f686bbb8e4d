/** `sluice log verify` with the coordinator's key: what a security officer is told of what a log says. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify as toYaml } from 'yaml'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { copyLog } from '../../src/cli/log-directory.ts'
import { digestOf, toHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { jobStatement, parseJobSpecification } from '../../src/learning/job-specification.ts'
import { type JobStep, stepLayout } from '../../src/learning/job-steps.ts'
import { initialModel } from '../../src/learning/round-output.ts'
import { logKeyOf } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosign } from '../../src/log/cosignature.ts'
import { encodeLogEntry } from '../../src/log/log-entry.ts'
import { createLog } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { EMPTY_ROOT } from '../../src/log/merkle-hash.ts'
import { parseNote } from '../../src/log/note.ts'
import { formatNoteKey } from '../../src/log/note-key.ts'
import { formatCosignatures } from '../../src/log/witness-wire.ts'
import { registryHead } from '../../src/protocol/registry.ts'
import { witnessKey } from '../../src/protocol/round-log.ts'
import { type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { SIGNER } from '../log/log-fixtures.ts'
import { digestNamed, type LoggedRound, logRound, statementsOf } from '../support/logged-rounds.ts'
import { runSluice } from '../support/processes.ts'
import { type FoundedVenue, foundVenue, VENUE } from '../support/registry-fixtures.ts'
import { coordinatorKey, HOSPITALS, makePlan, NOW, seedOf } from '../support/round-fixtures.ts'

const signer = { origin: `${VENUE}/log`, key: SIGNER.key }
const KEY = formatNoteKey(logKeyOf(signer))
const COORDINATOR_KEY = coordinatorKey.publicKey
const specification = parseJobSpecification(heartJob('logistic', Buffer.from(seedOf('job')).toString('hex'), 1))
const root = mkdtempSync(join(tmpdir(), 'sluice-statements-'))
const at = (name: string) => join(root, name)

/** Every log was it once. */
const EMPTY_TREE = { size: 0, root: toHex(EMPTY_ROOT) }

let venue: FoundedVenue
let job: Envelope
let honest: Envelope[]

const submit = (changes: Partial<typeof specification> = {}) => {
  const body = { specification: { ...specification, ...changes }, submittedBy: 'ada', submittedAt: NOW.toISOString() }
  return signStatement(jobStatement, { ...body, nonce: digestNamed('job nonce') }, coordinatorKey)
}

function planOf(
  round: number,
  step: JobStep,
  inputs: RoundPlan['inputs'],
  changes: Partial<RoundPlan> = {},
): RoundPlan {
  const about = {
    job: statementDigest(job),
    round,
    step,
    inputs,
    registry: registryHead(venue.registry),
    after: EMPTY_TREE,
  }
  return makePlan(venue.parties, { ...about, vector: stepLayout(specification, step), ...changes })
}

/** The log of these statements as a copy in a directory, its checkpoint cosigned by three of the four members. */
async function copyOf(name: string, statements: readonly Envelope[]): Promise<string> {
  const storage = new MemoryLogStorage()
  const writer = await createLog(storage, signer)
  await writer.append(statements.map(encodeLogEntry))
  const { note } = writer.checkpoint
  const cosigners = venue.parties.slice(0, 3)
  const lines = cosigners.map(({ member, keys }) =>
    cosign(
      parseNote(note).text,
      { name: witnessKey(signer.origin, member).name, key: keys.statementKey },
      1_800_000_000,
    ),
  )
  const witnesses = cosigners.map(({ member }) => witnessKey(signer.origin, member))
  await writer.publishCosigned(addCosignatures(note, formatCosignatures(lines), witnesses))
  const payloads = new Map(statements.map(({ payload }) => [digestOf(payload), payload]))
  const source = {
    readCheckpoint: () => storage.readCheckpoint(),
    readTile: (path: string) => storage.readTile(path),
    readPayload: async (payloadSha256: string) => payloads.get(payloadSha256),
  }
  await copyLog(source, at(name))
  return at(name)
}

/** A holder's directory as far as an audit reads it. */
function holderDirectory(name: string, changes: Record<string, unknown> = {}): string {
  const config = {
    ...{ name: 'cleveland', venue: VENUE, coordinator: 'localhost:7400', coordinatorKey: COORDINATOR_KEY, logKey: KEY },
    tls: { identity: 'secrets/tls.pem', authority: 'authority.pem' },
    ...{ identity: 'secrets/identity.json', policy: 'policy.yaml', journal: 'journal' },
    ...changes,
  }
  mkdirSync(at(name))
  writeFileSync(join(at(name), 'holder.yaml'), toYaml(config))
  return at(name)
}

beforeAll(async () => {
  venue = await foundVenue(...HOSPITALS)
  job = submit()
  const scheme = await createPayloadScheme()
  const statistics = { name: 'statistics', digest: digestNamed('statistics') }
  const initial = { name: 'model', digest: digestOf(...initialModel(statementDigest(job), specification)) }
  const model = { name: 'model', digest: digestNamed('model 1') }
  const evaluation = { name: 'evaluation', digest: digestNamed('evaluation') }
  const run = (plan: RoundPlan, output: typeof model): Promise<LoggedRound> =>
    logRound(scheme, venue.parties, plan, output)
  const rounds = [
    await run(planOf(1, 'statistics', []), statistics),
    await run(planOf(2, 'training', [statistics, initial]), model),
    await run(planOf(3, 'evaluation', [statistics, model]), evaluation),
  ]
  scheme.dispose()
  honest = [...venue.statements, job, ...rounds.flatMap(statementsOf)]
  await copyOf('honest', honest)
  holderDirectory('cleveland')
})
afterAll(() => rmSync(root, { recursive: true }))

const verify = (...args: string[]) => runSluice(['log', 'verify', ...args])

describe('sluice log verify of what a log says', () => {
  it('tells the security officer of a hospital, with the keys in its directory, that all is in order', async () => {
    const { code, stdout, stderr } = await verify(at('honest'), '--holder', at('cleveland'))
    expect(code, stderr).toBe(0)
    const lines = stdout.trim().split('\n')
    expect(lines[0]).toMatch(new RegExp(`^The log ${signer.origin} is whole: ${honest.length} entries, root `))
    expect(lines.slice(1, 4)).toEqual(
      HOSPITALS.slice(0, 3).map((name) => `  cosigned by ${signer.origin}/${name} at 2027-01-15T08:00:00.000Z`),
    )
    expect(lines.slice(4)).toEqual([
      'What it says is in order.',
      '  4 members of 4 organisations',
      '  members of 3 of them have cosigned this checkpoint',
      '  1 job; rounds: 3 published, 0 abandoned, 0 open',
      '  3 of 3 sums with the signed hashes of all contributors',
    ])
  })

  it('says the same as JSON, with the two keys by name', async () => {
    const keys = ['--key', KEY, '--coordinator-key', COORDINATOR_KEY]
    const { code, stdout, stderr } = await verify(at('honest'), ...keys, '--quorum', '3', '--json')
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      size: honest.length,
      findings: [],
      summary: { organisations: 4, jobs: 1, rounds: { published: 3, abandoned: 0, open: 0 }, sumsWithAllHashes: 3 },
      cosigningOrganisations: HOSPITALS.slice(0, 3).map((name) => `${name} hospital`),
    })
    const strict = await verify(at('honest'), ...keys, '--quorum', '4', '--json')
    expect(strict.code).toBe(1)
    expect(JSON.parse(strict.stdout)).toMatchObject({ ok: false, fault: { code: 'quorum-not-met' } })
  })

  it('looks for other witnesses when they are named, and then counts those', async () => {
    const named = formatNoteKey(witnessKey(signer.origin, venue.parties[1].member))
    const { stdout } = await verify(at('honest'), '--holder', at('cleveland'), '--witness', named, '--json')
    const { cosigners, cosigningOrganisations } = JSON.parse(stdout)
    expect(cosigners).toEqual([{ name: `${signer.origin}/hungary`, cosignedAtS: 1_800_000_000 }])
    expect(cosigningOrganisations).toBeUndefined()
  })

  it('names every fault: entry, plan, rule; and what is only to be remarked', async () => {
    const elsewhere = planOf(4, 'training', [
      { name: 'statistics', digest: digestNamed('made up') },
      { name: 'model', digest: digestNamed('model 1') },
    ])
    const wide = planOf(5, 'statistics', [], { vector: stepLayout(specification, 'evaluation') })
    const plans = [elsewhere, wide].map((plan) => signStatement(roundPlanStatement, plan, coordinatorKey))
    const place = await copyOf('faulty', [...honest, ...plans])
    const { code, stdout, stderr } = await verify(place, '--holder', at('cleveland'))
    expect(code).toBe(1)
    expect(stderr).toContain('2 faults in what the log says:')
    const named = (i: number) => `entry ${honest.length + i}, plan ${statementDigest(plans[i]).slice(0, 12)}: `
    expect(stderr).toContain(`${named(0)}The plan works from a statistics that no published round`)
    expect(stderr).toContain('(input-not-published)')
    expect(stderr).toContain(`${named(1)}The plan's vector is not the one of the job's statistics step. (job-mismatch)`)
    expect(stderr).toContain('[log-invalid]')
    expect(stdout).toContain('What it says is not in order: 2 faults.')
    expect(stdout).toContain(`remark: ${named(0)}Round 4 is neither published nor abandoned. (round-open)`)
    const { stdout: json } = await verify(place, '--holder', at('cleveland'), '--json')
    const { ok, findings } = JSON.parse(json)
    expect(ok).toBe(false)
    expect(findings.map(({ severity, code: found }: Record<string, string>) => `${severity} ${found}`)).toEqual([
      'fault input-not-published',
      'fault job-mismatch',
      'remark round-open',
      'remark round-open',
    ])
  })

  it('does not pass over a statement whose payload is withheld', async () => {
    const holders = Array.from({ length: 6000 }, (_, i) => `holder-${i}`)
    const large = submit({ holders })
    const place = await copyOf('large', [...honest, large])
    expect((await verify(place, '--holder', at('cleveland'))).code).toBe(0)
    cpSync(place, at('withheld'), { recursive: true })
    rmSync(join(at('withheld'), 'statement'), { recursive: true })
    const { code, stderr } = await verify(at('withheld'), '--holder', at('cleveland'))
    expect(code).toBe(1)
    expect(stderr).toContain('(payload-missing)')
    expect((await verify(at('withheld'), '--key', KEY)).code).toBe(0)
  })

  it('finds every statement signed by somebody else when it is given another coordinator’s key', async () => {
    const { code, stdout } = await verify(at('honest'), '--key', KEY, '--coordinator-key', '0'.repeat(64), '--json')
    expect(code).toBe(1)
    const { findings } = JSON.parse(stdout)
    expect(findings.length).toBeGreaterThan(20)
    expect(findings[0]).toMatchObject({ position: 0, code: 'bad-signature' })
  })

  it('refuses what cannot be an audit', async () => {
    const usage = [
      [],
      ['--holder', at('cleveland'), '--key', KEY],
      ['--holder', at('cleveland'), '--coordinator-key', COORDINATOR_KEY],
    ]
    for (const args of usage) expect((await verify(at('honest'), ...args)).code, args.join(' ')).toBe(2)
    const otherVenue = holderDirectory('other', { venue: 'another.example' })
    const namedOddly = formatNoteKey({ ...logKeyOf(signer), name: 'a-log-of-others' })
    const cases: [string[], string, string][] = [
      [['--key', KEY, '--coordinator-key', 'ABC'], 'usage', '64 hexadecimal digits'],
      [['--key', namedOddly, '--coordinator-key', COORDINATOR_KEY], 'usage', '<venue>/log'],
      [['--holder', at('nowhere')], 'file-not-readable', 'holder.yaml'],
      [['--holder', otherVenue], 'file-invalid', 'another.example/log'],
    ]
    for (const [args, expected, says] of cases) {
      const { code, stderr } = await verify(at('honest'), ...args)
      expect(code).toBe(1)
      expect(stderr).toContain(`[${expected}]`)
      expect(stderr).toContain(says)
    }
  })
})
