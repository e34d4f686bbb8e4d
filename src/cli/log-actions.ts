import { openCheckpoint, parseCheckpoint } from '../log/checkpoint.ts'
import type { WitnessPolicy } from '../log/cosignature.ts'
import { attachPayload, decodeLogEntry } from '../log/log-entry.ts'
import { LogError } from '../log/log-error.ts'
import type { LogSource } from '../log/log-source.ts'
import { parseNote } from '../log/note.ts'
import { type NoteKey, type NoteKeyRole, parseNoteKey } from '../log/note-key.ts'
import { readEntries } from '../log/tile-reader.ts'
import { verifyLog } from '../log/verify-log.ts'
import type { TreeHead } from '../log/verify-proof.ts'
import { httpLogSource } from '../wire/log-client.ts'
import { CliError } from './cli-error.ts'
import { readTextFile } from './files.ts'
import { copyLog, logDirectory } from './log-directory.ts'
import { describeEntry, entryJson } from './log-entry-text.ts'

/*
 * What the `sluice log` commands do. Loaded when one runs, so that help and wrong command lines answer at once.
 */

export async function fetchLog(url: string, { out, json }: { readonly out: string; readonly json?: boolean }) {
  const copy = await copyLog(httpLogSource(url), out, progress('copied'))
  if (json) return console.log(JSON.stringify({ ...copy, directory: out }))
  console.log(
    `Copied ${count(copy.size - copy.previousSize, 'new entry', 'new entries')}, ${copy.size} in all, to ${out}.`,
  )
  if (copy.payloadsMissing > 0) {
    console.log(`${count(copy.payloadsMissing, 'payload', 'payloads')} of large statements are not served there.`)
  }
  console.log(`Next: sluice log verify ${out} --key KEY`)
}

export interface VerifyOptions {
  readonly key: string
  readonly witness?: readonly string[]
  readonly quorum?: number
  readonly earlier?: readonly string[]
  readonly json?: boolean
}

/** @throws CliError `log-invalid` naming the first fault; LogError `malformed-key`, `bad-witness-set` */
export async function verifyLogAt(place: string, options: VerifyOptions): Promise<void> {
  const policy = await readPolicy(options)
  const earlier = await Promise.all((options.earlier ?? []).map((file) => readEarlier(file, policy.log)))
  const source = openSource(place)
  const payloads = { detached: 0, missing: 0 }
  const report = progress('checked')
  const audit = await verifyLog(source, policy, {
    earlier,
    checkEntry: (position, entry) => {
      report(position + 1)
      return checkEntry(source, entry, payloads)
    },
  })
  if (!audit.ok) {
    if (options.json) console.log(JSON.stringify({ ok: false, fault: audit.fault }))
    const { code, resource, position, reason } = audit.fault
    const where = position === undefined ? resource : `${resource}, entry ${position}`
    throw new CliError('log-invalid', `${where}: ${reason} (${code})`)
  }
  const { checkpoint, cosigners } = audit
  const root = Buffer.from(checkpoint.root).toString('base64')
  if (options.json) {
    const { origin, size } = checkpoint
    return console.log(JSON.stringify({ ok: true, origin, size, root, cosigners, payloads }))
  }
  console.log(`The log ${checkpoint.origin} is whole: ${count(checkpoint.size, 'entry', 'entries')}, root ${root}.`)
  for (const { name, cosignedAtS } of cosigners) {
    console.log(`  cosigned by ${name} at ${new Date(cosignedAtS * 1000).toISOString()}`)
  }
  for (const { size } of earlier) console.log(`  continues the checkpoint of ${size} that was kept`)
  const { detached, missing } = payloads
  if (detached > 0) {
    console.log(`  ${count(detached, 'large statement', 'large statements')} by digest, ${missing} of them not here`)
  }
}

/** Prints entries as they stand; entries that decode to nothing are shown as such. */
export async function showLog(
  place: string,
  { from, limit, json }: { readonly from?: number; readonly limit: number; readonly json?: boolean },
): Promise<void> {
  const source = openSource(place)
  const note = await source.readCheckpoint()
  if (note === undefined) throw noLog(place)
  const { origin, size } = parseCheckpoint(parseNote(note).text)
  const start = Math.min(from ?? Math.max(0, size - limit), size)
  const end = Math.min(size, start + limit)
  const entries = await readEntries(source, start, end, size)
  if (!json)
    console.log(`${origin}: ${count(size, 'entry', 'entries')}${end > start ? `, here ${start} to ${end - 1}` : ''}`)
  for (const [i, entry] of entries.entries()) {
    const read = json ? entryJson : describeEntry
    console.log(await read(source, start + i, entry))
  }
}

function openSource(place: string): LogSource {
  return /^https?:\/\//.test(place) ? httpLogSource(place) : logDirectory(place)
}

function noLog(place: string): CliError {
  return new CliError(
    'log-invalid',
    `There is no checkpoint at ${place}: this is not a log. Check the address or path.`,
  )
}

async function readPolicy({ key, witness = [], quorum }: VerifyOptions): Promise<WitnessPolicy> {
  const log = await readKey(key, 'log')
  const witnesses = await Promise.all(witness.map((each) => readKey(each, 'witness')))
  return { log, witnesses, quorum: quorum ?? witnesses.length }
}

/** A key as it is written, or the file that holds it. */
async function readKey(given: string, role: NoteKeyRole): Promise<NoteKey> {
  const key = parseNoteKey(given.includes('+') ? given : (await readTextFile(given)).trim())
  if (key.role === role) return key
  throw new CliError(
    'usage',
    `${key.name} is the key of a ${key.role}, not of a ${role}: give it with the other option.`,
  )
}

async function readEarlier(file: string, log: NoteKey): Promise<TreeHead> {
  const opened = openCheckpoint(parseNote(await readTextFile(file)), log)
  if (!opened.ok) throw new CliError('file-invalid', `${file}: ${opened.reason}`)
  return opened.value
}

/** What is wrong with an entry beyond its place in the tree. A payload that is not here is counted, not refused. */
async function checkEntry(
  source: LogSource,
  bytes: Uint8Array,
  payloads: { detached: number; missing: number },
): Promise<string | undefined> {
  try {
    const entry = decodeLogEntry(bytes)
    if (entry.kind === 'whole') return undefined
    payloads.detached++
    const payload = await source.readPayload(entry.payloadSha256)
    if (payload) attachPayload(entry, payload)
    else payloads.missing++
    return undefined
  } catch (fault) {
    if (fault instanceof LogError) return fault.message
    throw fault
  }
}

const PROGRESS_INTERVAL_MS = 2000

/** Lines on standard error, for what takes longer than a moment. */
function progress(done: string): (entries: number, size?: number) => void {
  let lastAt = Date.now()
  return (entries, size) => {
    if (Date.now() - lastAt < PROGRESS_INTERVAL_MS) return
    lastAt = Date.now()
    process.stderr.write(`${done} ${entries}${size === undefined ? '' : ` of ${size}`} entries\n`)
  }
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`
}
