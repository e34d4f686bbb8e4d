import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { signCheckpoint } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosign } from '../../src/log/cosignature.ts'
import { encodeLogEntry } from '../../src/log/log-entry.ts'
import type { LogSource } from '../../src/log/log-source.ts'
import { createLog, type LogWriter } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { formatSignatureLine, parseNote } from '../../src/log/note.ts'
import { formatNoteKey } from '../../src/log/note-key.ts'
import { startLogServer } from '../../src/wire/log-server.ts'
import type { RunningServer } from '../../src/wire/server.ts'
import { flipBit, LOG_KEY, SIGNER, STRANGER, WITNESS_KEYS, WITNESSES } from '../log/log-fixtures.ts'
import { runSluice } from '../support/processes.ts'

const KEY = formatNoteKey(LOG_KEY)
const WITNESS_TEXTS = WITNESS_KEYS.map(formatNoteKey)

let root: string
let server: RunningServer
let url: string
let writer: LogWriter
let storage: MemoryLogStorage
const payloads = new Map<string, Uint8Array>()
const at = (...path: string[]) => join(root, ...path)
const plan = 'c0ffee'.padEnd(64, '0')

const statement = (i: number, filler = ''): Envelope => {
  const body = { plan, round: i, holder: `north-${i}`, filler }
  return signEnvelope('application/vnd.sluice.v1.manifest+json', Buffer.from(JSON.stringify(body)), SIGNER.key)
}
const LARGE = statement(299, 'x'.repeat(90_000))

async function append(statements: readonly Envelope[]): Promise<void> {
  for (const { payload } of statements) payloads.set(digestOf(payload), payload)
  await writer.append(statements.map(encodeLogEntry))
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-log-'))
  storage = new MemoryLogStorage()
  writer = await createLog(storage, SIGNER)
  await append([...Array.from({ length: 299 }, (_, i) => statement(i)), LARGE])
  const source: LogSource = {
    readCheckpoint: () => storage.readCheckpoint(),
    readTile: (path) => storage.readTile(path),
    readPayload: async (payloadSha256) => payloads.get(payloadSha256),
  }
  server = await startLogServer('127.0.0.1:0', source)
  url = `http://127.0.0.1:${server.port}/log`
  writeFileSync(at('log.vkey'), `${KEY}\n`)
  writeFileSync(at('at-300'), writer.checkpoint.note)
  const lines = WITNESSES.slice(0, 2).map((witness) =>
    formatSignatureLine(cosign(parseNote(writer.checkpoint.note).text, witness, 1_800_000_000)),
  )
  await writer.publishCosigned(addCosignatures(writer.checkpoint.note, lines.join(''), WITNESS_KEYS))
  const { code, stderr } = await runSluice(['log', 'fetch', url, '--out', at('copy')])
  expect(code, stderr).toBe(0)
})
afterAll(async () => {
  await server.stop()
  rmSync(root, { recursive: true })
})

async function expectFault(args: string[], code: string, says: RegExp | string): Promise<void> {
  const finished = await runSluice(args)
  expect(finished.stderr).toMatch(says)
  expect(finished.stderr).toContain(`[${code}]`)
  expect(finished.stderr).not.toMatch(/\n\s+at /)
  expect(finished.code).toBe(1)
}

/** A copy of the copy with one file changed. */
function damaged(name: string, file: string, change: (bytes: Uint8Array) => Uint8Array | undefined): string {
  cpSync(at('copy'), at(name), { recursive: true })
  const path = at(name, file)
  const bytes = change(new Uint8Array(readFileSync(path)))
  if (bytes) writeFileSync(path, bytes)
  else rmSync(path)
  return at(name)
}

describe('sluice log', () => {
  it('teaches with --help, at every level', async () => {
    const commands = [['log'], ['log', 'fetch'], ['log', 'verify'], ['log', 'show']]
    for (const command of commands) {
      const { code, stdout } = await runSluice([...command, '--help'])
      expect(code).toBe(0)
      expect(stdout).toContain(`Usage: sluice ${command.join(' ')}`)
      expect(stdout.length).toBeGreaterThan(200)
    }
  })
})

describe('sluice log verify', () => {
  it('accepts a log over HTTP, and its copy offline, with witnesses and an earlier checkpoint', async () => {
    for (const place of [url, at('copy')]) {
      const witnesses = ['--witness', ...WITNESS_TEXTS, '--quorum', '2']
      const { code, stdout, stderr } = await runSluice([
        ...['log', 'verify', place, '--key', at('log.vkey'), ...witnesses],
        ...['--earlier', at('at-300')],
      ])
      expect(code, stderr).toBe(0)
      expect(stdout).toContain(`The log ${SIGNER.origin} is whole: 300 entries`)
      expect(stdout).toContain(`cosigned by ${WITNESSES[1].name} at 2027-01-15T08:00:00.000Z`)
      expect(stdout).toContain('1 large statement by digest, 0 of them not here')
      expect(stdout).toContain('continues the checkpoint of 300')
    }
    const { stdout } = await runSluice(['log', 'verify', at('copy'), '--key', KEY, '--json'])
    const { root: treeRoot, ...verdict } = JSON.parse(stdout)
    expect(Buffer.from(treeRoot, 'base64')).toEqual(Buffer.from(writer.checkpoint.root))
    const payloadCounts = { detached: 1, missing: 0 }
    expect(verdict).toEqual({ ok: true, origin: SIGNER.origin, size: 300, cosigners: [], payloads: payloadCounts })
  })

  it('names the first thing that is wrong with a copy', async () => {
    const detachedPath = `statement/${digestOf(LARGE.payload)}`
    const flip = (bytes: Uint8Array) => flipBit(bytes, 8 * Math.floor(bytes.length / 2))
    const cases: [string, (bytes: Uint8Array) => Uint8Array | undefined, RegExp][] = [
      ['tile/entries/000', flip, /tile\/(entries|0)\/000, entry \d+:/],
      ['tile/0/001.p/44', flip, /tile\/0\/001\.p\/44, entry 278: .*\(tile-mismatch\)/],
      ['tile/1/000.p/1', () => undefined, /tile\/1\/000\.p\/1: .*\(tile-missing\)/],
      // In its root: the later bytes are signatures of witnesses that nobody asked about.
      ['checkpoint', (bytes) => flipBit(bytes, 8 * 40), /checkpoint: .*\(bad-signature\)/],
      [detachedPath, flip, /tile\/entries\/001\.p\/44, entry 299: The payload is not the one that was logged/],
    ]
    for (const [i, [file, change, says]] of cases.entries()) {
      await expectFault(['log', 'verify', damaged(`damaged-${i}`, file, change), '--key', KEY], 'log-invalid', says)
    }
    const failed = await runSluice(['log', 'verify', at('damaged-1'), '--key', KEY, '--json'])
    expect(JSON.parse(failed.stdout)).toMatchObject({ ok: false, fault: { code: 'tile-mismatch', position: 278 } })
  })

  it('counts a payload that is not in the copy, and refuses entries that are no statements', async () => {
    const place = damaged('without-payload', `statement/${digestOf(LARGE.payload)}`, () => undefined)
    const { code, stdout } = await runSluice(['log', 'verify', place, '--key', KEY])
    expect(code).toBe(0)
    expect(stdout).toContain('1 large statement by digest, 1 of them not here')
    const noise = new MemoryLogStorage()
    await (await createLog(noise, SIGNER)).append([encodeLogEntry(statement(0)), Buffer.from('{"payloadType":"x"}')])
    const source = { readCheckpoint: () => noise.readCheckpoint(), readTile: (path: string) => noise.readTile(path) }
    const other = await startLogServer('127.0.0.1:0', { ...source, readPayload: async () => undefined })
    const address = `http://127.0.0.1:${other.port}/log`
    await expectFault(['log', 'verify', address, '--key', KEY], 'log-invalid', /entry 1: Not the entry of a signed/)
    await other.stop()
  })

  it('wants the right key, enough witnesses, and every checkpoint that was kept', async () => {
    const verify = ['log', 'verify', at('copy'), '--key']
    const stranger = formatNoteKey({ role: 'log', name: STRANGER.origin, publicKey: STRANGER.key.publicKey })
    await expectFault([...verify, stranger], 'log-invalid', 'not-signed')
    await expectFault([...verify, KEY, '--witness', ...WITNESS_TEXTS], 'log-invalid', 'quorum-not-met')
    await expectFault([...verify, KEY, '--witness', WITNESS_TEXTS[0], '--quorum', '2'], 'bad-witness-set', 'quorum')
    await expectFault([...verify, WITNESS_TEXTS[0]], 'usage', 'key of a witness')
    await expectFault([...verify, at('nowhere.vkey')], 'file-not-readable', 'nowhere.vkey')
    const forged = signCheckpoint({ size: 200, root: new Uint8Array(32) }, SIGNER)
    writeFileSync(at('forged'), forged)
    await expectFault([...verify, KEY, '--earlier', at('forged')], 'log-invalid', 'rewritten its past')
    writeFileSync(at('theirs'), signCheckpoint({ size: 200, root: new Uint8Array(32) }, STRANGER))
    await expectFault([...verify, KEY, '--earlier', at('theirs')], 'file-invalid', 'theirs')
  })

  it('is told when there is no log', async () => {
    await expectFault(['log', 'verify', at('nowhere'), '--key', KEY], 'log-invalid', 'no checkpoint')
    await expectFault(['log', 'show', at('nowhere')], 'log-invalid', 'no checkpoint')
    const gone = await startLogServer('127.0.0.1:0', {
      readCheckpoint: async () => undefined,
      readTile: async () => undefined,
      readPayload: async () => undefined,
    })
    await gone.stop()
    await expectFault(['log', 'show', `http://127.0.0.1:${gone.port}/log`], 'log-unreachable', 'ECONNREFUSED')
    for (const args of [
      ['verify', at('copy')],
      ['fetch', url],
      ['show', at('copy'), '--from', '-1'],
    ]) {
      expect((await runSluice(['log', ...args])).code, args.join(' ')).toBe(2)
    }
  })
})

describe('sluice log show', () => {
  it('prints entries for people: position, kind, digests short, what it is about', async () => {
    const { stdout } = await runSluice(['log', 'show', at('copy'), '--from', '3', '--limit', '2'])
    const [head, first, second, end] = stdout.split('\n')
    expect(head).toBe(`${SIGNER.origin}: 300 entries, here 3 to 4`)
    expect(first).toContain(`3  manifest  ${statementDigest(statement(3)).slice(0, 12)}  plan c0ffee000000  round 3`)
    expect(first).toContain('holder north-3')
    expect(second).toMatch(/^4 {2}manifest/)
    expect(end).toBe('')
  })

  it('shows the latest entries unless told, large ones too, and all of a statement as JSON', async () => {
    const { stdout } = await runSluice(['log', 'show', url, '--limit', '3', '--json'])
    const entries = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(entries.map(({ position }) => position)).toEqual([297, 298, 299])
    expect(entries[0]).toMatchObject({ digest: statementDigest(statement(297)), body: { plan, round: 297 } })
    expect(entries[2]).toMatchObject({ detached: digestOf(LARGE.payload), body: { round: 299 } })
  })

  it('lets no entry steer the terminal', async () => {
    const evil = { plan: '\u001b[2J\u202egnp', holder: '\u0007x'.repeat(100) }
    const envelope = signEnvelope('application/x-evil', Buffer.from(JSON.stringify(evil)), SIGNER.key)
    const noEntry = Buffer.from(JSON.stringify({ payloadType: 'x\u001b[31m\u202e', payload: '', signatures: [] }))
    const hostile = new MemoryLogStorage()
    await (await createLog(hostile, SIGNER)).append([encodeLogEntry(envelope), noEntry])
    const source = {
      readCheckpoint: () => hostile.readCheckpoint(),
      readTile: (path: string) => hostile.readTile(path),
    }
    const other = await startLogServer('127.0.0.1:0', { ...source, readPayload: async () => undefined })
    const { stdout } = await runSluice(['log', 'show', `http://127.0.0.1:${other.port}/log`])
    await other.stop()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    expect(stdout).toContain('?[2J?gnp')
    expect(stdout).toContain('1  not a statement')
  })
})

// Last: they let the log grow.
describe('sluice log fetch', () => {
  it('makes the files of tlog-tiles and the payloads, and nothing else', () => {
    const files = readdirSync(at('copy'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(at('copy').length + 1))
    expect(files.toSorted()).toEqual(
      [
        ...[
          'checkpoint',
          'tile/entries/000',
          'tile/entries/001.p/44',
          'tile/0/000',
          'tile/0/001.p/44',
          'tile/1/000.p/1',
        ],
        `statement/${digestOf(LARGE.payload)}`,
      ].toSorted(),
    )
  })

  it('brings a copy up to date', async () => {
    await append(Array.from({ length: 250 }, (_, i) => statement(300 + i)))
    cpSync(at('copy'), at('growing'), { recursive: true })
    const { stdout } = await runSluice(['log', 'fetch', url, '--out', at('growing'), '--json'])
    expect(JSON.parse(stdout)).toEqual({ size: 550, previousSize: 300, payloadsMissing: 0, directory: at('growing') })
    const verified = await runSluice([
      'log',
      'verify',
      at('growing'),
      '--key',
      KEY,
      '--earlier',
      at('copy', 'checkpoint'),
    ])
    expect(verified.stdout).toContain('550 entries')
    expect((await runSluice(['log', 'fetch', url, '--out', at('growing')])).stdout).toContain('Copied 0 new entries')
  })

  it('does not let a log that was rewritten, or rolled back, replace the copy that shows it', async () => {
    const rewritten = new MemoryLogStorage()
    const other = await createLog(rewritten, SIGNER)
    const source = { readCheckpoint: () => rewritten.readCheckpoint(), readTile: (p: string) => rewritten.readTile(p) }
    const forger = await startLogServer('127.0.0.1:0', { ...source, readPayload: async () => undefined })
    const fetched = ['log', 'fetch', `http://127.0.0.1:${forger.port}/log`, '--out', at('growing')]
    const before = readFileSync(at('growing/checkpoint'), 'utf8')
    for (const size of [100, 600]) {
      const entries = Array.from({ length: size - other.checkpoint.size }, (_, i) => statement(9000 + size + i))
      await other.append(entries.map(encodeLogEntry))
      await expectFault(fetched, 'log-invalid', 'does not continue the copy')
    }
    await forger.stop()
    expect(readFileSync(at('growing/checkpoint'), 'utf8')).toBe(before)
    expect((await runSluice(['log', 'verify', at('growing'), '--key', KEY])).code).toBe(0)
  })

  it('writes nothing outside of its directory, whatever the entries say', async () => {
    const digest = '../'.repeat(3)
    const entry = Buffer.from(JSON.stringify({ payloadType: 'x', payloadSha256: digest, signatures: [] }))
    const hostile = new MemoryLogStorage()
    await (await createLog(hostile, SIGNER)).append([entry])
    const source = {
      readCheckpoint: () => hostile.readCheckpoint(),
      readTile: (path: string) => hostile.readTile(path),
    }
    const other = await startLogServer('127.0.0.1:0', { ...source, readPayload: async () => Buffer.from('owned') })
    const { code } = await runSluice([
      'log',
      'fetch',
      `http://127.0.0.1:${other.port}/log`,
      '--out',
      at('hostile/copy'),
    ])
    await other.stop()
    expect(code).toBe(0)
    expect(readdirSync(at('hostile'))).toEqual(['copy'])
    expect(existsSync(at('hostile/copy/statement'))).toBe(false)
  })
})
