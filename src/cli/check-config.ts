import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadHolderSettings, readHolderConfig } from '../../nodes/holder/configuration-files.ts'
import { holderConfigSchema } from '../../nodes/holder/holder-config.ts'
import { type Environment, type FieldsSchema, type Overlay, unknownVariables } from '../configuration/environment.ts'
import { describeDatabaseUrl } from '../store/postgres-database.ts'
import { CliError } from './cli-error.ts'
import { readDatabaseUrl } from './database-url.ts'
import { coordinatorConfigSchema, loadVenue, readCoordinatorConfig } from './venue-files.ts'

/** One field as it is in force. */
export interface CheckedField {
  readonly field: string
  /** Without passwords; absent when nobody says anything and there is no default. */
  readonly value?: unknown
  /** The name of a variable, of the file, or `default`. */
  readonly from: string
}

export interface CheckedConfig {
  readonly role: 'coordinator' | 'holder'
  readonly fields: readonly CheckedField[]
  /** Where the coordinator's state is: host, port and name, or `embedded`. */
  readonly database?: string
  /** Variables that begin with `SLUICE_` and mean nothing. */
  readonly unknown: readonly string[]
}

/** Variables of the command line, which are no fields. */
const OPTION_VARIABLES = ['SLUICE_DIRECTORY', 'SLUICE_RESEARCHER', 'SLUICE_LOG_LEVEL']

/**
 * Reads the configuration as a start would, with every file that it names.
 * @throws what a start would throw; CliError `file-not-readable` when the directory is neither a venue's nor a holder's
 */
export async function checkConfig(directory: string, env: Environment = process.env): Promise<CheckedConfig> {
  if (existsSync(join(directory, 'coordinator.yaml'))) return checkCoordinator(directory, env)
  if (existsSync(join(directory, 'holder.yaml'))) return checkHolder(directory, env)
  throw new CliError(
    'file-not-readable',
    `${directory} has neither coordinator.yaml nor holder.yaml: name the directory of a venue or a holder with --directory.`,
  )
}

async function checkCoordinator(directory: string, env: Environment): Promise<CheckedConfig> {
  await loadVenue(directory, { env })
  const read = await readCoordinatorConfig(directory, { env })
  const url = await readDatabaseUrl(undefined, env)
  return {
    role: 'coordinator',
    fields: fieldsOf(coordinatorConfigSchema, 'coordinator.yaml', read),
    database: url === undefined ? 'embedded' : describeDatabaseUrl(url),
    unknown: unknownVariables(coordinatorConfigSchema, OPTION_VARIABLES, env),
  }
}

async function checkHolder(directory: string, env: Environment): Promise<CheckedConfig> {
  await loadHolderSettings(directory, env)
  const read = await readHolderConfig(directory, env)
  return {
    role: 'holder',
    fields: fieldsOf(holderConfigSchema, 'holder.yaml', read),
    unknown: unknownVariables(holderConfigSchema, OPTION_VARIABLES, env),
  }
}

interface ReadConfig {
  readonly config: object
  readonly file: unknown
  readonly overlay: Overlay
}

function fieldsOf({ shape }: FieldsSchema, name: string, { config, file, overlay }: ReadConfig): CheckedField[] {
  const values = config as Readonly<Record<string, unknown>>
  const said = Object(file) as object
  return Object.keys(shape).map((field) => ({
    field,
    ...(values[field] === undefined ? {} : { value: withoutPasswords(values[field]) }),
    from: overlay.variables.get(field) ?? (Object.hasOwn(said, field) ? name : 'default'),
  }))
}

/** A URL may have a name and a password before its host, and a token in its query. */
function withoutPasswords(value: unknown): unknown {
  if (typeof value !== 'string' || !/^[a-z][a-z0-9+.-]*:\/\//.test(value) || !URL.canParse(value)) return value
  const url = new URL(value)
  for (const part of ['username', 'password', 'search', 'hash'] as const) if (url[part]) url[part] = '…'
  return decodeURI(url.href)
}

/** A line for each field. */
export function configText({ role, fields, database, unknown }: CheckedConfig): string {
  const rows = fields.map(({ field, value, from }) => [field, value === undefined ? '–' : show(value), from])
  if (database !== undefined) rows.push(['database', database, database === 'embedded' ? 'default' : 'DATABASE_URL'])
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)))
  return [
    `${role}: the configuration is in order.`,
    ...rows.map(([field, value, from]) => `  ${field.padEnd(widths[0])}  ${value.padEnd(widths[1])}  ${from}`),
    ...unknown.map((name) => `${name} is no field of it: correct the name, or unset it.`),
  ].join('\n')
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
