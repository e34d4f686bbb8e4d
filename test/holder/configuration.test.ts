import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { runHolderNode } from '../../nodes/holder/holder-node.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { admitHolder, admitResearcher, createVenue } from '../../src/cli/venue-files.ts'
import type { SluiceError } from '../../src/sluice-error.ts'

let root: string
const at = (...path: string[]) => join(root, ...path)
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-configuration-'))
  await createVenue(at('venue'), { venue: 'hearts.example', listen: '127.0.0.1:9' })
  for (const name of ['north', 'south', 'west']) await admitHolder(at('venue'), name, `${name} clinic`, at(name))
})
afterEach(() => rmSync(root, { recursive: true }))

function edit(file: string, changes: object): void {
  writeFileSync(at(file), stringify({ ...parse(readFileSync(at(file), 'utf8')), ...changes }))
}

async function refusal(action: () => Promise<unknown>): Promise<SluiceError> {
  const error = await action().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeDefined()
  return error as SluiceError
}

const run = async (directory: string) =>
  runHolderNode(await loadHolderSettings(directory), 'x', pino({ level: 'silent' }), AbortSignal.timeout(20_000))

describe('a holder’s configuration', () => {
  it('gives the floors of the policy, and the members whose company is accepted', async () => {
    edit('west/policy.yaml', {
      minContributors: 4,
      committeeThreshold: 5,
      toleratedMembers: 2,
      maxPrecisionBits: 16,
      coMembers: ['south', 'nobody'],
    })
    const { floors, identity } = await loadHolderSettings(at('west'))
    expect(floors).toMatchObject({ minContributors: 4, threshold: 5, tolerates: 2, maxPrecisionBits: 16 })
    expect([...floors.acceptedMembers.keys()]).toEqual(['south'])
    expect(identity.member.holder).toBe('west')
    edit('west/policy.yaml', { coMembers: 'all' })
    const everyone = (await loadHolderSettings(at('west'))).floors.acceptedMembers
    expect([...everyone.keys()]).toEqual(['north', 'south', 'west'])
  })

  it('knows the members that were admitted when its files were made, and no later ones', async () => {
    expect([...(await loadHolderSettings(at('north'))).floors.acceptedMembers.keys()]).toEqual(['north'])
  })

  it('names the file and every wrong field', async () => {
    edit('north/holder.yaml', { coordinator: 'nowhere', payloadThreads: 0, colour: 'red' })
    const { code, message } = await refusal(() => loadHolderSettings(at('north')))
    expect(code).toBe('config-invalid')
    for (const part of ['holder.yaml', 'coordinator', 'host:port', 'payloadThreads', 'colour']) {
      expect(message).toContain(part)
    }
    edit('south/policy.yaml', { datasets: { heart: { steps: ['training', 'exfiltration'], maxRounds: 0 } } })
    const policy = await refusal(() => loadHolderSettings(at('south')))
    for (const part of ['policy.yaml', 'datasets.heart.steps', 'datasets.heart.maxRounds']) {
      expect(policy.message).toContain(part)
    }
  })

  it('names a file that is missing', async () => {
    for (const name of ['secrets/tls.key.pem', 'authority.pem', 'members.json', 'policy.yaml']) {
      const content = readFileSync(at('north', name))
      rmSync(at('north', name))
      expect(await refusal(() => loadHolderSettings(at('north')))).toMatchObject({
        code: 'config-invalid',
        message: expect.stringContaining(name),
      })
      writeFileSync(at('north', name), content)
    }
  })

  it('never shows what is in a broken identity file', async () => {
    const file = at('north/secrets/identity.json')
    const { statementSeed, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
    const broken = [
      `{ "statementSeed": "${statementSeed}", [`,
      JSON.stringify({ ...rest, statementSeed: `${statementSeed}00` }),
      JSON.stringify({ ...rest, [statementSeed]: 1 }),
    ]
    for (const content of broken) {
      writeFileSync(file, content)
      const error = await refusal(() => loadHolderSettings(at('north')))
      expect(['config-invalid', 'identity-invalid']).toContain(error.code)
      expect(`${error.message}${error.stack}${error.cause ?? ''}`).not.toContain(statementSeed)
    }
  })

  it('wants identity and certificate of the same admission', async () => {
    await copyFile(at('south/secrets/identity.json'), at('north/secrets/identity.json'))
    expect(await refusal(() => loadHolderSettings(at('north')))).toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('one admission'),
    })
    await admitResearcher(at('venue'), 'ada', at('ada'))
    for (const other of ['north', 'ada']) {
      for (const name of ['tls.pem', 'secrets/tls.key.pem']) await copyFile(at(other, name), at('south', name))
      expect(await refusal(() => run(at('south')))).toMatchObject({
        code: 'config-invalid',
        message: expect.stringContaining(other),
      })
    }
  })
})

describe('a holder node', () => {
  it('does not start over a journal that another process has open', async () => {
    const journal = new HolderJournal(at('north/journal'))
    expect(await refusal(() => run(at('north')))).toMatchObject({ code: 'journal-in-use' })
    journal.close()
  })

  it('does not start when one of its datasets cannot be opened, and leaves the journal free', async () => {
    edit('north/holder.yaml', { datasets: [{ name: 'heart', path: 'absent.csv' }] })
    expect(await refusal(() => run(at('north')))).toMatchObject({ code: 'file-not-found' })
    new HolderJournal(at('north/journal')).close()
  })
})
