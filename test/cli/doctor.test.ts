/** What `sluice doctor` finds in set-ups that are really broken, and that it disturbs nothing. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { heartDirectory } from '../../nodes/examples/heart/hospitals.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { makeInvite } from '../../src/cli/coordinator-actions.ts'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { checkClock } from '../../src/cli/doctor/check-clock.ts'
import { judgeSchema } from '../../src/cli/doctor/check-database.ts'
import { checkNode, judgeDisk } from '../../src/cli/doctor/check-machine.ts'
import type { Diagnosis } from '../../src/cli/doctor/diagnosis.ts'
import { judgeProbe } from '../../src/cli/doctor/examine-holder.ts'
import { type DoctorOptions, runDoctor } from '../../src/cli/doctor/run-doctor.ts'
import { decodeInvite } from '../../src/cli/invite.ts'
import { joinHolder } from '../../src/cli/join-holder.ts'
import { loadVenue } from '../../src/cli/venue-files.ts'
import { createAuthority, issueCertificate } from '../../src/crypto/certificates.ts'
import { signCheckpoint } from '../../src/log/checkpoint.ts'
import { encodeWitnessState } from '../../src/log/witness-state.ts'
import { joinKeyAndCertificate } from '../../src/wire/credentials.ts'
import { type CoordinatorDatabase, databaseOfProcesses } from '../support/coordinator-database.ts'
import { runSluice } from '../support/processes.ts'
import { editYaml } from '../support/test-venue.ts'

const VENUE = 'heart.demo'
const HOUR_MS = 3_600_000

let root: string
let database: CoordinatorDatabase
let coordinator: SluiceProcess
let logUrl: string
const at = (...path: string[]) => join(root, ...path)

async function startCoordinator(): Promise<void> {
  coordinator = new SluiceProcess('venue', ['coordinator', 'start', '--directory', at('venue')])
  await coordinator.ready('listening')
}

async function joinNode(name: string): Promise<void> {
  const invite = await makeInvite(at('venue'), name, { organisation: `${name} clinic`, expiresMs: HOUR_MS })
  await joinHolder(decodeInvite(invite), at(name))
  copyFileSync(join(heartDirectory, 'cleveland.csv'), at(name, 'heart.csv'))
  editYaml(at(name, 'holder.yaml'), { datasets: [{ name: 'heart', path: 'heart.csv' }], payloadThreads: 1 })
  editYaml(at(name, 'policy.yaml'), { datasets: { heart: {} } })
}

/** Puts back what a test breaks. */
async function broken(file: string, change: () => void | Promise<void>, look: () => Promise<void>): Promise<void> {
  const before = readFileSync(file)
  try {
    await change()
    await look()
  } finally {
    writeFileSync(file, before)
    chmodSync(file, 0o600)
  }
}

const doctor = (name: string, options: DoctorOptions = {}) =>
  runDoctor(at(name), { logUrl, databaseUrl: database.options.databaseUrl, ...options })
const of = (diagnoses: readonly Diagnosis[], check: string) => diagnoses.find((each) => each.check === check)
const statesOf = (diagnoses: readonly Diagnosis[]) =>
  Object.fromEntries(diagnoses.map(({ check, state }) => [check, state]))

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-doctor-'))
  database = await databaseOfProcesses(at('venue/state'))
  await foundHeartVenue(root)
  await startCoordinator()
  const { config } = await loadVenue(at('venue'))
  logUrl = `http://${config.logListen}/log`
  await joinNode('north')
})
afterAll(async () => {
  await coordinator.stop()
  await database.drop()
  rmSync(root, { recursive: true })
})

describe('the doctor of a holder', () => {
  it('finds a sound one sound, and leaves nothing behind', async () => {
    const found = await doctor('north')
    expect(found.filter(({ state }) => state !== 'ok')).toEqual([])
    expect(found.map(({ check }) => check)).toEqual([
      'node',
      'configuration',
      'permissions',
      'disk',
      'certificate',
      'clock',
      'coordinator',
      'log',
      'dataset heart',
    ])
    expect(existsSync(at('north', parse(readFileSync(at('north/holder.yaml'), 'utf8')).journal))).toBe(false)
  })

  it('does not take the place of a node that runs', async () => {
    const node = new SluiceProcess('north', ['holder', 'start', '--directory', at('north')])
    try {
      await node.ready('connected')
      const found = await doctor('north')
      expect(of(found, 'log')).toMatchObject({ state: 'ok', found: expect.stringContaining('the node runs') })
      expect(of(found, 'coordinator')!.state).toBe('ok')
      expect(node.lines.filter(({ event }) => event === 'disconnected')).toEqual([])
    } finally {
      await node.stop()
    }
  })

  it('tells by how much the clock is off, by the coordinator’s', async () => {
    const found = await doctor('north', { now: () => new Date(Date.now() + HOUR_MS) })
    expect(of(found, 'clock')).toMatchObject({ state: 'fail', todo: expect.stringContaining('NTP') })
    expect(of(found, 'clock')!.found).toMatch(/^3(599|600|601) s ahead of the coordinator$/)
  })

  it('shows the modes of secrets that others can read', async () => {
    const file = at('north/secrets/identity.json')
    await broken(
      file,
      () => chmodSync(file, 0o644),
      async () => {
        const permissions = of(await doctor('north'), 'permissions')!
        expect(permissions).toMatchObject({ state: 'fail', found: `${file} has mode 0644` })
        expect(permissions.todo).toContain(`chmod 600 ${file}`)
      },
    )
  })

  it('tells an expired certificate, a foreign one, another’s, and one that is due', async () => {
    const file = at('north/secrets/tls.pem')
    const { authority } = await loadVenue(at('venue'))
    const issued = async (name: string, lifetimeMs: number, signer = authority) =>
      writeFileSync(
        file,
        joinKeyAndCertificate(await issueCertificate(signer, { venue: VENUE, role: 'holder', name }, lifetimeMs)),
      )
    const look = (found: string, todo: string) => async () => {
      const certificate = of(await doctor('north'), 'certificate')!
      expect(certificate).toMatchObject({ state: 'fail', found: expect.stringContaining(found) })
      expect(certificate.todo).toContain(todo)
    }
    await broken(file, () => issued('north', -60_000), look('certificate-expired', 'new invite'))
    await broken(
      file,
      () => issued('south', HOUR_MS),
      look('it is of spiffe://heart.demo/holder/south', 'one directory'),
    )
    const foreign = await createAuthority(VENUE, HOUR_MS)
    await broken(file, () => issued('north', HOUR_MS, foreign), look('certificate-foreign', 'one directory'))
    const later = await doctor('north', { now: () => new Date(Date.now() + 120 * HOUR_MS) })
    expect(of(later, 'certificate')).toMatchObject({ state: 'warn', found: expect.stringContaining('renewal is due') })
  })

  it('reads the clock from the log when TLS does not come about', async () => {
    const file = at('north/secrets/tls.pem')
    const { authority } = await loadVenue(at('venue'))
    const identity = { venue: VENUE, role: 'holder', name: 'north' } as const
    await broken(
      file,
      async () => writeFileSync(file, joinKeyAndCertificate(await issueCertificate(authority, identity, -60_000))),
      async () => {
        const found = await doctor('north')
        expect(of(found, 'coordinator')!.state).toBe('fail')
        expect(of(found, 'clock')).toMatchObject({ state: 'ok', found: 'agrees with the coordinator' })
      },
    )
  })

  it('says which dataset does not open, and which is not offered', async () => {
    await broken(
      at('north/holder.yaml'),
      () => editYaml(at('north/holder.yaml'), { datasets: [{ name: 'heart', path: 'absent.csv' }] }),
      async () => {
        const dataset = of(await doctor('north'), 'dataset heart')!
        expect(dataset).toMatchObject({ state: 'fail', found: 'file-not-found' })
        expect(dataset.todo).toContain('absent.csv')
      },
    )
    await broken(
      at('north/policy.yaml'),
      () => editYaml(at('north/policy.yaml'), { datasets: {} }),
      async () => expect(of(await doctor('north'), 'dataset heart')).toMatchObject({ state: 'warn' }),
    )
  })

  it('says when the log that is served is not the one that this holder has seen', async () => {
    const { logSigner } = await loadVenue(at('venue'))
    const saw = (size: number) => {
      const journal = new HolderJournal(at('north', parse(readFileSync(at('north/holder.yaml'), 'utf8')).journal))
      const latest = signCheckpoint({ size, root: new Uint8Array(32).fill(7) }, logSigner)
      journal.writeWitnessState(encodeWitnessState(new Map([[logSigner.origin, { latest }]])))
      journal.close()
    }
    saw(1)
    expect(of(await doctor('north'), 'log')).toMatchObject({
      state: 'fail',
      found: expect.stringContaining('does not continue'),
    })
    saw(1_000_000)
    expect(of(await doctor('north'), 'log')).toMatchObject({
      state: 'fail',
      found: expect.stringContaining('rolled back'),
    })
    rmSync(at('north', parse(readFileSync(at('north/holder.yaml'), 'utf8')).journal), { recursive: true })
    const other = await doctor('north', { logUrl: 'http://127.0.0.1:9/log' })
    expect(of(other, 'log')).toMatchObject({ state: 'fail', found: expect.stringContaining('log-unreachable') })
  })

  it('names the file that is wrong in the configuration', async () => {
    await broken(
      at('north/policy.yaml'),
      () => editYaml(at('north/policy.yaml'), { minContributors: 1 }),
      async () => {
        const configuration = of(await doctor('north'), 'configuration')!
        expect(configuration).toMatchObject({ state: 'fail', found: 'config-invalid' })
        expect(configuration.todo).toContain('minContributors')
      },
    )
  })
})

describe('the doctor of a venue', () => {
  let taken: Server | undefined

  it('knows its own coordinator at every address while that runs', async () => {
    const found = await doctor('venue')
    expect(found.filter(({ state }) => state !== 'ok')).toEqual([])
    for (const field of ['listen', 'enrolListen', 'logListen', 'adminListen']) {
      expect(of(found, `port ${field}`)!.found, field).toContain("served by this party's process")
    }
    // A server takes a second client, the embedded database does not.
    expect(of(found, 'database')!.found).toContain(database.options.databaseUrl ? 'answers' : 'which runs')
    expect(statesOf(found)).toMatchObject({ readiness: 'ok', address: 'ok', enrolAddress: 'ok' })
  })

  it('finds a stopped one ready to start, and its holders without it', async () => {
    await coordinator.stop()
    const found = await doctor('venue')
    expect(found.filter(({ state }) => state !== 'ok')).toEqual([])
    expect(of(found, 'port listen')!.found).toContain('is free')
    expect(of(found, 'database')!.found).toMatch(/^answers; schema version \d+$/)
    expect(statesOf(await doctor('north'))).toMatchObject({ coordinator: 'fail', clock: 'warn', log: 'fail' })
  })

  it('tells a port that another process has', async () => {
    const { config } = await loadVenue(at('venue'))
    const port = Number(config.logListen.split(':')[1])
    taken = createServer((socket) => socket.destroy())
    await new Promise<void>((listening) => taken!.listen(port, '127.0.0.1', listening))
    const found = of(await doctor('venue'), 'port logListen')!
    await new Promise((closed) => taken!.close(closed))
    expect(found).toMatchObject({ state: 'fail', found: expect.stringContaining('taken by another process') })
  })

  it('tells a state directory that is none, and a secret that is gone', async () => {
    await broken(
      at('venue/coordinator.yaml'),
      () => {
        writeFileSync(at('a-file'), '')
        editYaml(at('venue/coordinator.yaml'), { state: at('a-file') })
      },
      async () =>
        expect(of(await doctor('venue'), 'disk')).toMatchObject({
          state: 'fail',
          todo: expect.stringContaining('directory'),
        }),
    )
    await broken(
      at('venue/secrets/log.seed'),
      () => rmSync(at('venue/secrets/log.seed')),
      async () =>
        expect(of(await doctor('venue'), 'configuration')).toMatchObject({
          state: 'fail',
          todo: expect.stringContaining('log.seed'),
        }),
    )
  })

  it('tries the blobs that the configuration names, and leaves nothing behind', async () => {
    const file = at('venue/coordinator.yaml')
    await broken(
      file,
      () => editYaml(file, { blobs: pathToFileURL(at('blobs')).href }),
      async () => {
        expect(of(await doctor('venue'), 'blobs')).toMatchObject({ state: 'ok' })
        expect(
          readdirSync(at('blobs'), { recursive: true, withFileTypes: true }).filter((each) => each.isFile()),
        ).toEqual([])
        rmSync(at('blobs'), { recursive: true })
        writeFileSync(at('blobs'), '')
        expect(of(await doctor('venue'), 'blobs')).toMatchObject({ state: 'fail' })
      },
    )
    await broken(
      file,
      () => editYaml(file, { blobs: 's3://bucket?secretAccessKey=hunter2' }),
      async () => {
        const found = of(await doctor('venue'), 'blobs')!
        expect(found).toMatchObject({ state: 'fail', found: 'bad-blobs-url' })
        expect(JSON.stringify(found)).not.toContain('hunter2')
      },
    )
  })

  it('tells a database that a newer release has migrated', async () => {
    const opened = await database.open()
    await opened.query('INSERT INTO schema_migrations (version, name) VALUES (99, $1)', ['from-the-future'])
    await opened.close()
    const found = of(await doctor('venue'), 'database')!
    expect(found).toMatchObject({ state: 'fail', found: expect.stringContaining('version 99') })
    expect(found.todo).toContain('newer release')
  })

  it('is told of a PostgreSQL server that does not answer, without its password', async () => {
    const found = await doctor('venue', { databaseUrl: 'postgres://sluice:hunter2@127.0.0.1:9/sluice' })
    expect(of(found, 'database')).toMatchObject({ state: 'fail', found: 'database-unreachable' })
    expect(of(found, 'clock')!.state).toBe('warn')
    expect(JSON.stringify(found)).not.toContain('hunter2')
  })
})

describe('sluice doctor', () => {
  it('prints a line for each check with what to do, or JSON, and fails when something is in the way', async () => {
    const text = await runSluice(['doctor', '--directory', at('north')])
    expect(text.code).toBe(1)
    expect(text.stdout).toMatch(/^ok {4}configuration/m)
    expect(text.stdout).toMatch(/^fail {2}coordinator .*coordinator-unreachable\n +→ .*check the address/m)
    const json = await runSluice(['doctor', '--directory', at('north'), '--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.stdout).map(({ check }: Diagnosis) => check)).toContain('certificate')
  })

  it('wants the directory of a venue or a holder', async () => {
    mkdirSync(at('empty'))
    const { code, stderr } = await runSluice(['doctor', '--directory', at('empty')])
    expect(stderr).toContain('[file-not-readable]')
    expect(code).toBe(1)
  })
})

describe('the judgements of the doctor', () => {
  const now = new Date('2026-01-01T00:00:00Z')
  const off = (ms: number) => new Date(now.getTime() + ms)

  it('of a clock: seconds are no skew, a minute is in the way', () => {
    expect(checkClock(now, off(4000), 'x').state).toBe('ok')
    expect(checkClock(now, off(-30_000), 'x')).toMatchObject({ state: 'warn', found: '30 s ahead of x' })
    expect(checkClock(now, off(90_000), 'x')).toMatchObject({ state: 'fail', found: '90 s behind x' })
  })

  it('of a disk: nearly full is in the way, little or slow is a warning', () => {
    expect(judgeDisk('/', 10 * 2 ** 20, 500).state).toBe('fail')
    expect(judgeDisk('/', 500 * 2 ** 20, 500).state).toBe('warn')
    expect(judgeDisk('/', 2 ** 40, 1).state).toBe('warn')
    expect(judgeDisk('/', 2 ** 40, 500).state).toBe('ok')
  })

  it('of versions: of Node, of the protocol, of the schema', () => {
    expect(checkNode('22.19.0').state).toBe('fail')
    expect(checkNode('24.0.0').state).toBe('ok')
    expect(judgeProbe('x', { protocolVersion: '1' })).toMatchObject({
      state: 'fail',
      todo: 'Update the older of the two.',
    })
    expect(judgeSchema({ applied: 2, known: 4 }).state).toBe('warn')
  })
})
