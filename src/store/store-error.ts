import { SluiceError } from '../sluice-error.ts'

/** Everything that `src/store` refuses, by name. Closed: a caller that switches over it is checked by the compiler. */
export type StoreErrorCode =
  // what the caller asked
  | 'not-found'
  | 'conflict'
  | 'invalid-value'
  | 'store-closed'
  // the data
  | 'corrupt'
  // the disk
  | 'disk-full'
  | 'directory-in-use'
  | 'directory-unusable'
  | 'io-failed'
  // the blobs of a bucket
  | 'bad-blobs-url'
  | 'blobs-unreachable'
  | 'blobs-refused'
  // the database
  | 'bad-database-url'
  | 'database-unreachable'
  | 'database-too-new'
  | 'database-failed'
  | 'migration-failed'

/**
 * The one error of `src/store`. Messages name files, tables and digests; never a password, a ciphertext or an envelope's
 * content. After any of them the stored state is as before or as after the call, so that the call may be repeated.
 */
export class StoreError extends SluiceError<StoreErrorCode> {}

/** The StoreError of a failed file operation. @param doing what failed, with the path: "Writing /var/…". */
export function fileError(cause: unknown, doing: string): StoreError {
  if (cause instanceof StoreError) return cause
  const code = codeOf(cause)
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError('disk-full', `${doing}: the disk is full. Free space on it, then repeat.`, { cause })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
      return new StoreError(
        'directory-unusable',
        `${doing}: ${code}. Give the coordinator a directory that its user may write to.`,
        { cause },
      )
    default:
      return new StoreError('io-failed', `${doing}: ${code ?? 'failed'}. Check the disk and its mount, then repeat.`, {
        cause,
      })
  }
}

/**
 * The StoreError of a failed query, by SQLSTATE (PostgreSQL manual, appendix A); PGlite and pg give the same codes.
 * @param where the database as it may be shown: without user or password.
 */
export function databaseError(fault: unknown, where: string): StoreError {
  if (fault instanceof StoreError) return fault
  const state = codeOf(fault) ?? ''
  const said = fault instanceof Error && fault.message ? fault.message : String(fault)
  const cause = withoutValues(fault)
  switch (state) {
    case '23505':
      return new StoreError('conflict', `${where} holds another value already: ${said}.`, { cause })
    case '23503':
      return new StoreError('not-found', `${where} does not hold what this refers to: ${said}.`, { cause })
    case '53100':
      return new StoreError('disk-full', `The disk of ${where} is full. Free space on it, then repeat.`, { cause })
  }
  // 23: a constraint; 22: a value that no column of the type can hold.
  if (/^2[23]...$/.test(state)) {
    return new StoreError('invalid-value', `${where} refuses a value: ${said}. This is a defect of the caller.`, {
      cause,
    })
  }
  if (isConnectionFailure(state, said)) {
    return new StoreError(
      'database-unreachable',
      `${where} cannot be reached: ${said || state}. Check that it runs and that DATABASE_URL names it and its user.`,
      { cause },
    )
  }
  return new StoreError('database-failed', `${where} failed: ${said}. Repeat; if it stays, see the database's log.`, {
    cause,
  })
}

/** What of a driver's error says where and how it failed. */
const HARMLESS_FIELDS = [
  'code',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'routine',
  'syscall',
  'address',
  'port',
]

/**
 * An error of a driver without what was asked: PGlite hangs the query and all its parameters on it, the server the row that
 * failed, and whoever logs the error would write whole envelopes into the process's log.
 */
function withoutValues(fault: unknown): unknown {
  if (!(fault instanceof Error)) return undefined
  const bare = new Error(fault.message)
  bare.name = fault.name
  bare.stack = fault.stack
  const fields = fault as unknown as Record<string, unknown>
  for (const name of HARMLESS_FIELDS) {
    if (fields[name] !== undefined) Object.assign(bare, { [name]: fields[name] })
  }
  return bare
}

/** 08 connection, 28 authorisation, 3D no such database, 57P shut down or starting, 53300 no connection left. */
function isConnectionFailure(state: string, said: string): boolean {
  if (/^(08...|28...|3D...|57P..|53300)$/.test(state)) return true
  if (/^E[A-Z_]{3,}$/.test(state)) return true
  // What pg gives no code for, and what the TLS layer says of a certificate.
  return (
    /^(Connection terminated|timeout exceeded when trying to connect|The server does not support SSL)/.test(said) ||
    /CERT/.test(state)
  )
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}
