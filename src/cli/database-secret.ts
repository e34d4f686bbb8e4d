import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '../crypto/digest.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import { writeGroupFile } from './files.ts'

export interface DatabaseSecretOptions {
  /** host:port of PostgreSQL. */
  readonly host: string
  readonly user: string
  readonly database: string
}

/**
 * Draws the password of a new PostgreSQL into `directory`: `password`, for the server, and `url`, for `DATABASE_URL_FILE`. Both are
 * for their owner and its group, to which the server has to belong. What is there stays.
 * @returns whether a password was drawn
 * @throws CliError `file-not-writable`
 */
export async function drawDatabaseSecret(
  directory: string,
  { host, user, database }: DatabaseSecretOptions,
): Promise<boolean> {
  if (existsSync(join(directory, 'url'))) return false
  const secret = new Uint8Array(32)
  systemRandomness.fill(secret)
  const password = toHex(secret)
  await writeGroupFile(join(directory, 'password'), `${password}\n`)
  // Last: whoever finds it finds both. Cut short in between, no server has read the password yet.
  await writeGroupFile(join(directory, 'url'), `postgres://${user}:${password}@${host}/${database}\n`)
  return true
}
