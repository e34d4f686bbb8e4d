import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CliError } from '../cli-error.ts'
import type { Diagnosis } from './diagnosis.ts'

export interface DoctorOptions {
  readonly databaseUrl?: string
  readonly logUrl?: string
  readonly now?: () => Date
}

/**
 * Looks for the common faults of a venue or a holder, by what lies in its directory.
 * @throws CliError `file-not-readable` when it is neither
 */
export async function runDoctor(
  directory: string,
  { databaseUrl, logUrl, now = () => new Date() }: DoctorOptions = {},
): Promise<Diagnosis[]> {
  // Each loaded where it is used: the image of a holder has no database, that of a coordinator no datasets.
  if (existsSync(join(directory, 'coordinator.yaml'))) {
    const { examineVenue } = await import('./examine-venue.ts')
    return examineVenue(directory, { databaseUrl, now })
  }
  if (existsSync(join(directory, 'holder.yaml'))) {
    const { examineHolder } = await import('./examine-holder.ts')
    return examineHolder(directory, { logUrl, now })
  }
  throw new CliError(
    'file-not-readable',
    `${directory} has neither coordinator.yaml nor holder.yaml: name the directory of a venue or a holder with --directory.`,
  )
}

/** A line for each diagnosis, and below it what to do. */
export function doctorText(diagnoses: readonly Diagnosis[]): string {
  const width = Math.max(...diagnoses.map(({ check }) => check.length))
  return diagnoses
    .map(({ check, state, found, todo }) => {
      const line = `${state.padEnd(4)}  ${check.padEnd(width)}  ${found}`
      return todo ? `${line}\n${' '.repeat(width + 8)}→ ${todo}` : line
    })
    .join('\n')
}
