import { type Environment, readVariable } from '../configuration/environment.ts'

/**
 * The URL of the database: the option, or `DATABASE_URL`, or the content of the file that `DATABASE_URL_FILE` names. Secret: it
 * has a password. Undefined stands for the embedded database.
 * @throws ConfigurationError `environment-invalid`
 */
export async function readDatabaseUrl(option: string | undefined, env: Environment = process.env) {
  return option ?? (await readVariable('DATABASE_URL', env))?.text
}
