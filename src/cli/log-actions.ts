import { openCheckpoint, parseCheckpoint } from '../log/checkpoint.ts'
import type { LogSource } from '../log/log-source.ts'
import { parseNote } from '../log/note.ts'
import { type NoteKey, type NoteKeyRole, parseNoteKey } from '../log/note-key.ts'
import { readEntries } from '../log/tile-reader.ts'
import type { TreeHead } from '../log/verify-proof.ts'
import { httpLogSource } from '../wire/log-client.ts'
import { type AuditKeys, readHolderKeys } from './audit-keys.ts'
import { auditLog, type WholeLog } from './audit-log.ts'
import { CliError } from './cli-error.ts'
import { readTextFile } from './files.ts'
import { count, describeAudit, describeFinding } from './log-audit-text.ts'
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
  readonly key?: string
  readonly coordinatorKey?: string
  /** A holder's directory, instead of the two keys. */
  readonly holder?: string
  readonly witness?: readonly string[]
  readonly quorum?: number
  readonly earlier?: readonly string[]
  readonly json?: boolean
}

/** @throws CliError `log-invalid` naming the first fault of the log, or every fault in what it says; LogError `malformed-key`, `bad-witness-set` */
export async function verifyLogAt(place: string, options: VerifyOptions): Promise<void> {
  const keys = await readKeys(options)
  const witnesses = await Promise.all((options.witness ?? []).map((each) => readKey(each, 'witness')))
  const earlier = await Promise.all((options.earlier ?? []).map((file) => readEarlier(file, keys.log)))
  const { quorum, json } = options
  const onEntry = progress('checked')
  const audit = await auditLog(openSource(place), { ...keys, witnesses, quorum, earlier, onEntry })
  if ('fault' in audit) {
    if (json) console.log(JSON.stringify({ ok: false, fault: audit.fault }))
    const { code, resource, position, reason } = audit.fault
    const where = position === undefined ? resource : `${resource}, entry ${position}`
    throw new CliError('log-invalid', `${where}: ${reason} (${code})`)
  }
  if (json) console.log(JSON.stringify(auditJson(audit)))
  else {
    const kept = earlier.map(({ size }) => `  continues the checkpoint of ${size} that was kept`)
    for (const line of [...describeAudit(audit), ...kept]) console.log(line)
  }
  if (audit.ok) return
  const faults = audit.statements!.findings.filter(({ severity }) => severity === 'fault')
  const list = faults.map((fault) => `\n  ${describeFinding(fault)}`).join('')
  throw new CliError('log-invalid', `${count(faults.length, 'fault', 'faults')} in what the log says:${list}`)
}

function auditJson({ ok, checkpoint, cosigners, payloads, statements }: WholeLog) {
  const { origin, size, root } = checkpoint
  return { ok, origin, size, root: Buffer.from(root).toString('base64'), cosigners, payloads, ...statements }
}

/** The keys that everything rests on: from the command line, or as a holder has them from its invite. */
async function readKeys({ key, coordinatorKey, holder }: VerifyOptions): Promise<AuditKeys> {
  if (holder !== undefined) return readHolderKeys(holder)
  if (key === undefined)
    throw new CliError('usage', 'Give the key of the log with --key, or a directory with --holder.')
  const log = await readKey(key, 'log')
  if (coordinatorKey === undefined) return { log }
  if (/^[0-9a-f]{64}$/.test(coordinatorKey)) return { log, coordinatorKey }
  throw new CliError('usage', 'A coordinator key is 64 hexadecimal digits: copy it from holder.yaml.')
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
