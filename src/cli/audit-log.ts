import type { StatementPublicKey } from '../crypto/statement-key.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { type Cosigner, openCosignedCheckpoint, type WitnessPolicy } from '../log/cosignature.ts'
import { attachPayload, decodeLogEntry, type LogEntry } from '../log/log-entry.ts'
import { LogError } from '../log/log-error.ts'
import type { LogSource } from '../log/log-source.ts'
import { leafHash } from '../log/merkle-hash.ts'
import { parseNote } from '../log/note.ts'
import type { NoteKey } from '../log/note-key.ts'
import { type LogFault, verifyLog } from '../log/verify-log.ts'
import type { TreeHead } from '../log/verify-proof.ts'
import type { Finding, StatementSummary } from '../protocol/audit-findings.ts'
import { StatementAudit } from '../protocol/audit-statements.ts'
import type { Registry } from '../protocol/registry.ts'
import { witnessKey } from '../protocol/round-log.ts'
import { CliError } from './cli-error.ts'
import { jobReader } from './job-reader.ts'

export interface LogAuditOptions {
  readonly log: NoteKey
  /** Whose cosignatures are looked for; the members by the log's own registry when none is named and statements are audited. */
  readonly witnesses?: readonly NoteKey[]
  /** How many of them must have cosigned; of members: how many organisations. All that are named, none of members, unless told. */
  readonly quorum?: number
  /** Heads that the auditor kept. */
  readonly earlier?: readonly TreeHead[]
  /** With it what the log says is audited as well. */
  readonly coordinatorKey?: StatementPublicKey
  /** After each entry, with their number so far. */
  readonly onEntry?: (entries: number) => void
}

/** What the statements of a log come to. */
export interface StatementsVerdict {
  readonly findings: readonly Finding[]
  readonly summary: StatementSummary
  /** Organisations of the members that cosigned the checkpoint; undefined when other witnesses were asked for. */
  readonly cosigningOrganisations?: readonly string[]
}

/** What a log that is whole comes to. */
export interface WholeLog {
  /** No fault in what it says, as far as that was audited. */
  readonly ok: boolean
  readonly checkpoint: Checkpoint
  readonly cosigners: readonly Cosigner[]
  /** Statements whose payload lies beside the log, and those of them that are not here. */
  readonly payloads: { readonly detached: number; readonly missing: number }
  readonly statements?: StatementsVerdict
}

export type LogVerdict = WholeLog | { readonly ok: false; readonly fault: LogFault }

/**
 * Audits a log: that it is whole (`verifyLog`), and with the coordinator's key that everybody in it kept to the rules
 * (`StatementAudit`). One bundle of entries and one payload are in memory at a time.
 * @throws CliError `usage` when the log's key is not named after a venue; LogError `bad-witness-set`; what the source throws
 */
export async function auditLog(source: LogSource, options: LogAuditOptions): Promise<LogVerdict> {
  const { log, coordinatorKey, earlier, onEntry } = options
  const statements =
    coordinatorKey === undefined
      ? undefined
      : new StatementAudit({ venue: venueOf(log), coordinatorKey, jobs: jobReader })
  const findings: Finding[] = []
  const payloads = { detached: 0, missing: 0 }
  const { reader, readNote } = keepCheckpoint(source)
  const audit = await verifyLog(reader, policyOf(options), {
    earlier,
    checkEntry: async (position, bytes) => {
      onEntry?.(position + 1)
      try {
        const entry = await completeEntry(source, decodeLogEntry(bytes), payloads)
        findings.push(...(statements?.add(position, entry, leafHash(bytes)) ?? []))
        return undefined
      } catch (fault) {
        if (fault instanceof LogError) return fault.message
        throw fault
      }
    },
  })
  if (!audit.ok) return audit
  const { checkpoint, cosigners } = audit
  if (!statements) return { ok: true, checkpoint, cosigners, payloads }
  const end = statements.end()
  findings.push(...end.findings)
  const ok = findings.every(({ severity }) => severity === 'remark')
  const verdict = { findings, summary: end.summary }
  if (options.witnesses?.length) return { ok, checkpoint, cosigners, payloads, statements: verdict }
  const cosigned = findCosigners(readNote(), statements.registry, options)
  if ('fault' in cosigned) return { ok: false, fault: cosigned.fault }
  const { organisations: cosigningOrganisations } = cosigned
  return {
    ok,
    checkpoint,
    cosigners: cosigned.cosigners,
    payloads,
    statements: { ...verdict, cosigningOrganisations },
  }
}

/** Of members nobody knows the keys before the log has been read. */
function policyOf({ log, witnesses = [], quorum, coordinatorKey }: LogAuditOptions): WitnessPolicy {
  const isOfMembers = coordinatorKey !== undefined && witnesses.length === 0
  return { log, witnesses, quorum: isOfMembers ? 0 : (quorum ?? witnesses.length) }
}

/** A venue's log is called `<venue>/log`. */
function venueOf({ name }: NoteKey): string {
  if (name.endsWith('/log')) return name.slice(0, -'/log'.length)
  throw new CliError('usage', `The log ${name} is not one of a venue, <venue>/log: its statements cannot be audited.`)
}

/** The checkpoint is read once: a log that is served grows meanwhile. */
function keepCheckpoint(source: LogSource) {
  let note: string | undefined
  const reader = {
    readCheckpoint: async () => {
      note = await source.readCheckpoint()
      return note
    },
    readTile: (path: string) => source.readTile(path),
  }
  return { reader, readNote: () => note! }
}

/** A detached entry as a whole statement, if its payload is to be had. @throws LogError for another payload than was logged */
async function completeEntry(
  source: LogSource,
  entry: LogEntry,
  payloads: { detached: number; missing: number },
): Promise<LogEntry> {
  if (entry.kind === 'whole') return entry
  payloads.detached++
  const payload = await source.readPayload(entry.payloadSha256)
  if (payload) return attachPayload(entry, payload)
  payloads.missing++
  return entry
}

/** The members that cosigned a checkpoint which the log has signed, and their organisations. */
function findCosigners(
  note: string,
  { members }: Registry,
  { log, quorum = 0 }: LogAuditOptions,
):
  | { readonly cosigners: readonly Cosigner[]; readonly organisations: readonly string[] }
  | { readonly fault: LogFault } {
  const byName = new Map([...members.values()].map((member) => [witnessKey(log.name, member).name, member]))
  const witnesses = [...members.values()].map((member) => witnessKey(log.name, member))
  const opened = openCosignedCheckpoint(parseNote(note), { log, witnesses, quorum: 0 })
  if (!opened.ok) return { fault: { code: opened.code, resource: 'checkpoint', reason: opened.reason } }
  const { cosigners } = opened.value
  const organisations = [...new Set(cosigners.map(({ name }) => byName.get(name)!.organisation))].sort()
  if (organisations.length >= quorum) return { cosigners, organisations }
  const reason = `${organisations.length} of the members' organisations cosigned, ${quorum} must: wait for more.`
  return { fault: { code: 'quorum-not-met', resource: 'checkpoint', reason } }
}
