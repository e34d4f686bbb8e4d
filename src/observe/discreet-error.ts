import { SluiceError } from '../sluice-error.ts'

/** An error as a holder's log has it. */
export interface DiscreetError {
  readonly type: string
  readonly code?: string
  /** Of errors that Sluice throws on purpose, which never quote a value; of others it might. */
  readonly message?: string
  /** Places in the code, innermost first. */
  readonly at: readonly string[]
  readonly cause?: DiscreetError
}

const CAUSES_MAX = 4
const CODE_FORM = /^[A-Za-z0-9_-]{1,60}$/

/**
 * The serialiser of errors for a log beside data. A fault that nobody foresaw was made by some library from what it was given, which
 * may be a record: it is told by its type, its code and its places, and without its words.
 */
export function discreetError(error: unknown, depth = 0): DiscreetError {
  if (!(error instanceof Error)) return { type: typeof error, at: [] }
  const { code } = error as { code?: unknown }
  return {
    type: error.name,
    ...(typeof code === 'string' && CODE_FORM.test(code) ? { code } : {}),
    ...(error instanceof SluiceError ? { message: error.message } : {}),
    at: framesOf(error),
    ...(error.cause !== undefined && depth < CAUSES_MAX ? { cause: discreetError(error.cause, depth + 1) } : {}),
  }
}

/** A stack begins with the message, of any number of lines, one of which may look like a place. */
function framesOf({ stack = '', message }: Error): string[] {
  const from = stack.indexOf(message)
  const places = from < 0 ? stack : stack.slice(from + message.length)
  return [...places.matchAll(/^ {4}at (.+)$/gm)].map(([, place]) => place)
}
