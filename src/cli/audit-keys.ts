import { join } from 'node:path'
import { holderConfigSchema } from '../../nodes/holder/holder-config.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { type NoteKey, parseNoteKey } from '../log/note-key.ts'
import { CliError } from './cli-error.ts'
import { readSchemaFile } from './files.ts'

/** What an audit of a venue's log rests on. */
export interface AuditKeys {
  readonly log: NoteKey
  readonly coordinatorKey?: StatementPublicKey
}

/**
 * The keys as a holder got them with its invite: what its security officer has. Nothing else of the directory is read.
 * @throws CliError `file-not-readable`, `file-invalid`; LogError `malformed-key`
 */
export async function readHolderKeys(directory: string): Promise<Required<AuditKeys>> {
  const path = join(directory, 'holder.yaml')
  const { venue, logKey, coordinatorKey } = await readSchemaFile(path, holderConfigSchema)
  const log = parseNoteKey(logKey)
  if (log.role === 'log' && log.name === `${venue}/log`) return { log, coordinatorKey }
  throw new CliError('file-invalid', `logKey in ${path} is not the key of ${venue}/log: copy it from the invite.`)
}
