import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartDirectory } from '../../nodes/examples/heart/hospitals.ts'
import { encodeInvite } from '../../src/cli/invite.ts'
import { createVenue } from '../../src/cli/venue-files.ts'
import { createAuthority, issueCertificate } from '../../src/crypto/certificates.ts'
import { joinKeyAndCertificate } from '../../src/wire/credentials.ts'
import { runSluice } from '../support/processes.ts'
import { editYaml as edit, startTestVenue, type TestVenue } from '../support/test-venue.ts'

let root: string
let venue: TestVenue
const at = (...path: string[]) => join(root, ...path)

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-cli-'))
  venue = await startTestVenue(at('venue'))
  await venue.joinHolder('north', at('north'), 'North Clinic')
  await venue.joinResearcher('ada', at('ada'))
})
afterAll(async () => {
  await venue.close()
  rmSync(root, { recursive: true })
})

/** A command that fails must do so with exit code 1, one line that names the code, and no stack. */
async function expectFailure(args: string[], code: string, says: RegExp | string) {
  const { code: exit, stderr } = await runSluice(args)
  expect(stderr).toContain(`[${code}]`)
  expect(stderr).toMatch(says)
  expect(stderr).not.toMatch(/\n\s+at /)
  expect(exit).toBe(1)
}

describe('sluice', () => {
  it('teaches with --help, at every level', async () => {
    const commands = [
      [],
      ['coordinator'],
      ['coordinator', 'init'],
      ['coordinator', 'invite'],
      ['coordinator', 'revoke'],
      ['coordinator', 'start'],
      ['holder'],
      ['holder', 'join'],
      ['holder', 'members'],
      ['holder', 'approve'],
      ['researcher'],
      ['researcher', 'join'],
      ['holder', 'start'],
      ['holder', 'check'],
      ['job'],
      ['job', 'submit'],
      ['job', 'list'],
      ['job', 'watch'],
      ['job', 'result'],
      ['job', 'cancel'],
      ['demo'],
      ['doctor'],
      ['config'],
      ['config', 'check'],
      ['ready'],
      ['coordinator', 'database-secret'],
    ]
    const finished = await Promise.all(commands.map((command) => runSluice([...command, '--help'])))
    for (const [i, { code, stdout }] of finished.entries()) {
      expect(code, commands[i].join(' ')).toBe(0)
      expect(stdout).toContain(`Usage: sluice${commands[i].map((part) => ` ${part}`).join('')}`)
      expect(stdout.length).toBeGreaterThan(150)
    }
  })

  it('ends with 2 for a wrong command line, and points to the help', async () => {
    for (const args of [
      ['nonsense'],
      ['job', 'submit'],
      ['demo', '--rounds', 'many'],
      ['coordinator', 'revoke', 'x'],
    ]) {
      const { code, stderr } = await runSluice(args)
      expect(code, args.join(' ')).toBe(2)
      expect(stderr).toContain('--help')
    }
  })
})

describe('a venue', () => {
  it('is founded once, and never overwritten', async () => {
    const before = readFileSync(at('venue/secrets/authority.key.pem'), 'utf8')
    await expectFailure(
      ['coordinator', 'init', '--directory', at('venue')],
      'directory-not-empty',
      'holds a venue already',
    )
    expect(readFileSync(at('venue/secrets/authority.key.pem'), 'utf8')).toBe(before)
  })

  it('keeps its secrets to its owner', () => {
    const secrets = [
      'venue/secrets/authority.key.pem',
      'venue/secrets/tls.pem',
      'venue/secrets/statement.seed',
      'venue/secrets/log.seed',
      'north/secrets/tls.pem',
      'north/secrets/identity.json',
      'ada/secrets/tls.pem',
    ]
    for (const secret of secrets) expect(statSync(at(secret)).mode & 0o077, secret).toBe(0)
    for (const directory of ['venue/secrets', 'north/secrets', 'ada/secrets'])
      expect(statSync(at(directory)).mode & 0o077).toBe(0)
  })

  it('invites with one line, which a holder’s join takes from a file or its command line', async () => {
    const invite = ['coordinator', 'invite', 'south', '--directory', at('venue')]
    await expectFailure(invite, 'usage', '--organisation')
    const { stdout, stderr } = await runSluice([...invite, '--organisation', 'South Clinic', '--expires', '2h'])
    expect(stdout, stderr).toMatch(/^[A-Za-z0-9_-]{200,}\n$/)
    writeFileSync(at('invite'), stdout)
    const joined = await runSluice(['holder', 'join', at('invite'), '--directory', at('south')])
    expect(joined.stdout, joined.stderr).toContain('Joined hearts.example as south, South Clinic')
    expect(joined.stdout).toMatch(/fingerprint of the application: [0-9a-f]{20}\n/)
    expect(joined.stdout).toContain('sluice holder start --directory')
    const again = await runSluice(['holder', 'join', stdout.trim(), '--directory', at('south')])
    expect(again.stdout).toBe(joined.stdout)
    await expectFailure(['holder', 'join', stdout.trim(), '--directory', at('thief')], 'invite-used', 'not you')
    await expectFailure(['researcher', 'join', at('invite'), '--directory', at('r')], 'not-invited', 'holder join')
    await expectFailure(['holder', 'join', 'nonsense', '--directory', at('n')], 'invite-malformed', 'whole line')
    const researcher = encodeInvite(await venue.invite('eve', { researcher: true }))
    const eve = await runSluice(['researcher', 'join', researcher, '--directory', at('eve')])
    expect(eve.stdout, eve.stderr).toContain('sluice job submit job.yaml --as')
  })

  it('is told what is wrong with its configuration, field by field', async () => {
    await expectFailure(['coordinator', 'start', '--directory', at('nowhere')], 'file-not-readable', 'coordinator.yaml')
    await createVenue(at('wrong'), { venue: 'hearts.example', listen: '127.0.0.1:0' })
    edit(at('wrong/coordinator.yaml'), { committeeTimeoutMs: 'soon', lisen: 1 })
    await expectFailure(
      ['coordinator', 'start', '--directory', at('wrong')],
      'file-invalid',
      /committeeTimeoutMs[\s\S]*lisen|lisen[\s\S]*committeeTimeoutMs/,
    )
  })

  it('is told when its port is taken', async () => {
    const taken: Server = await new Promise((done) => {
      const server = createServer().listen(0, '127.0.0.1', () => done(server))
    })
    const { port } = taken.address() as { port: number }
    await createVenue(at('taken'), { venue: 'hearts.example', listen: `127.0.0.1:${port}` })
    await expectFailure(['coordinator', 'start', '--directory', at('taken')], 'port-in-use', String(port))
    await new Promise((done) => taken.close(done))
  })
})

describe('a holder', () => {
  const check = ['holder', 'check', '--directory']

  it('sees what it would bring, and whether its policy offers it', async () => {
    edit(at('north/holder.yaml'), { datasets: [{ name: 'heart', path: join(heartDirectory, 'cleveland.csv') }] })
    const plain = await runSluice([...check, at('north')])
    expect(plain.stdout).toContain('heart: 304 records')
    expect(plain.stdout).toContain('NOT offered')
    edit(at('north/policy.yaml'), { datasets: { heart: {} } })
    const { stdout } = await runSluice([...check, at('north'), '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'north',
      datasets: [{ name: 'heart', recordCount: 304, offered: true }],
    })
  })

  it('is told what is wrong with its files, field by field', async () => {
    await expectFailure([...check, at('nowhere')], 'config-invalid', 'holder.yaml')
    await venue.joinHolder('west', at('west'))
    edit(at('west/policy.yaml'), { minContributors: 1 })
    await expectFailure([...check, at('west')], 'config-invalid', 'minContributors')
    edit(at('west/policy.yaml'), { minContributors: 3 })
    writeFileSync(at('west/secrets/identity.json'), '{ not yaml: [')
    await expectFailure([...check, at('west')], 'config-invalid', 'identity.json is not YAML')
  })

  it('is told which file, column or line of its data is wrong', async () => {
    await venue.joinHolder('east', at('east'))
    const files: [string, string, string][] = [
      ['absent.csv', '', 'file-not-found'],
      ['broken.csv', 'a,b\n1,2\n3\n4,5,6\n', 'csv-malformed'],
      ['headless.csv', '1,2\n3,4\n', 'csv-without-header'],
      ['data.txt', 'a\n1\n', 'file-format-unknown'],
    ]
    for (const [name, content, code] of files) {
      if (content) writeFileSync(at('east', name), content)
      edit(at('east/holder.yaml'), { datasets: [{ name: 'heart', path: name }] })
      await expectFailure([...check, at('east')], code, name)
    }
  })

  it('with an expired or foreign certificate does not start, and is told what to do', async () => {
    await venue.joinHolder('old', at('old'))
    const authority = {
      keyPem: readFileSync(at('venue/secrets/authority.key.pem'), 'utf8'),
      certificatePem: readFileSync(at('venue/authority.pem'), 'utf8'),
    }
    const identity = { venue: 'hearts.example', role: 'holder', name: 'old' } as const
    const expired = await issueCertificate(authority, identity, -60_000)
    writeFileSync(at('old/secrets/tls.pem'), joinKeyAndCertificate(expired))
    await expectFailure(['holder', 'start', '--directory', at('old')], 'certificate-expired', 'ask the venue')
    const foreign = await issueCertificate(await createAuthority('hearts.example', 1e9), identity, 1e9)
    writeFileSync(at('old/secrets/tls.pem'), joinKeyAndCertificate(foreign))
    await expectFailure(['holder', 'start', '--directory', at('old')], 'certificate-foreign', 'one directory')
  })
})

describe('a researcher', () => {
  it('is told when no coordinator answers', async () => {
    await expectFailure(['job', 'list', '--as', at('ada')], 'coordinator-unreachable', 'check the address')
  })

  it('is told when the directory or the file is not there, or not a job', async () => {
    await expectFailure(['job', 'list', '--as', at('nobody')], 'file-not-readable', 'researcher.yaml')
    await expectFailure(['job', 'submit', at('no.yaml'), '--as', at('ada')], 'file-not-readable', 'no.yaml')
  })
})
