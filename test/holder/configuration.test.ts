import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { runHolderNode } from '../../nodes/holder/holder-node.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { formatNoteKey } from '../../src/log/note-key.ts'
import type { SluiceError } from '../../src/sluice-error.ts'
import { editYaml, startTestVenue, type TestVenue } from '../support/test-venue.ts'

let root: string
let venue: TestVenue
const at = (...path: string[]) => join(root, ...path)
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-configuration-'))
  venue = await startTestVenue(at('venue'))
  for (const name of ['north', 'south', 'west']) await venue.joinHolder(name, at(name))
})
afterEach(async () => {
  await venue.close()
  rmSync(root, { recursive: true })
})

const edit = (file: string, changes: object) => editYaml(at(file), changes)

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
  it('gives the floors of the policy', async () => {
    edit('west/policy.yaml', {
      minContributors: 4,
      committeeThreshold: 5,
      toleratedMembers: 2,
      maxPrecisionBits: 16,
    })
    const { floors, identity } = await loadHolderSettings(at('west'))
    expect(floors).toMatchObject({ minContributors: 4, threshold: 5, tolerates: 2, maxPrecisionBits: 16 })
    expect(identity.member.holder).toBe('west')
  })

  it('takes no other log than that of its venue', async () => {
    const { logKey } = parse(readFileSync(at('north/holder.yaml'), 'utf8'))
    const { publicKey } = (await loadHolderSettings(at('north'))).logKey
    const elsewhere = formatNoteKey({ role: 'log', name: 'other.example/log', publicKey })
    const witness = formatNoteKey({ role: 'witness', name: 'hearts.example/log', publicKey })
    for (const wrong of ['nonsense', logKey.slice(0, -2), elsewhere, witness]) {
      edit('north/holder.yaml', { logKey: wrong })
      expect(await refusal(() => loadHolderSettings(at('north')))).toMatchObject({
        code: 'config-invalid',
        message: expect.stringContaining('logKey'),
      })
    }
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
    for (const name of ['secrets/tls.pem', 'authority.pem', 'policy.yaml']) {
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
      message: expect.stringContaining('one directory'),
    })
    await venue.joinResearcher('ada', at('ada'))
    for (const other of ['north', 'ada']) {
      await copyFile(at(other, 'secrets/tls.pem'), at('south/secrets/tls.pem'))
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
