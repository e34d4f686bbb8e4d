import { join } from 'node:path'
import { type DatabaseInspection, inspectDatabase } from '../../store/inspect-database.ts'
import { StoreError } from '../../store/store-error.ts'
import { type Diagnosis, failing, warning, well } from './diagnosis.ts'

const CHECK = 'database'

/**
 * Whether the database answers, and its schema is one that this release can use. A running coordinator has an embedded one to itself.
 * @throws StoreError
 */
export async function checkDatabase(
  state: string,
  databaseUrl: string | undefined,
  isRunning: boolean,
): Promise<{ readonly diagnosis: Diagnosis; readonly inspection?: DatabaseInspection }> {
  try {
    const inspection = await inspectDatabase({ databaseUrl, directory: join(state, 'database') })
    if (!inspection) return { diagnosis: well(CHECK, 'not made yet: the first start makes it') }
    return { diagnosis: judgeSchema(inspection), inspection }
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'directory-in-use') throw error
    return {
      diagnosis: isRunning
        ? well(CHECK, 'in use by the coordinator, which runs')
        : failing(CHECK, 'in use by a process that answers at none of the addresses', error.message),
    }
  }
}

/** @see migrate, which makes the same difference at a start. */
export function judgeSchema({ applied, known }: Pick<DatabaseInspection, 'applied' | 'known'>): Diagnosis {
  if (applied > known) {
    return failing(
      CHECK,
      `its schema has version ${applied}, this release knows ${known}`,
      'Start the newer release that migrated it, or restore a copy from before.',
    )
  }
  if (applied === known) return well(CHECK, `answers; schema version ${applied}`)
  return warning(
    CHECK,
    `answers; schema version ${applied} of ${known}`,
    'Take a copy of it: the next start of the coordinator migrates it, and an older release will not open it again.',
  )
}
