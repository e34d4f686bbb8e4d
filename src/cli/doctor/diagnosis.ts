import { SluiceError } from '../../sluice-error.ts'

/** What one check of `sluice doctor` came to. For people; the names of checks and states are stable. */
export interface Diagnosis {
  readonly check: string
  /** `warn` is not in the way today. */
  readonly state: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What to do about it; there unless all is well. */
  readonly todo?: string
}

export function well(check: string, found: string): Diagnosis {
  return { check, state: 'ok', found }
}

export function warning(check: string, found: string, todo: string): Diagnosis {
  return { check, state: 'warn', found, todo }
}

export function failing(check: string, found: string, todo: string): Diagnosis {
  return { check, state: 'fail', found, todo }
}

/**
 * Runs a check. A named error is its finding: the message says what is wrong and, after the colon or the first sentence, what to do.
 * A fault without a name shows its code alone: its message may quote a file.
 */
export async function diagnose(
  check: string,
  run: () => Promise<Diagnosis | readonly Diagnosis[]>,
): Promise<Diagnosis[]> {
  try {
    return [await run()].flat()
  } catch (error) {
    if (error instanceof SluiceError) return [failing(check, `${error.code}`, error.message)]
    const code = (error as NodeJS.ErrnoException).code ?? 'fault'
    return [
      failing(check, `unexpected fault ${code}`, 'Check that this user may read the directory; otherwise report it.'),
    ]
  }
}
