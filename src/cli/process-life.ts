import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { discreetError } from '../observe/discreet-error.ts'

/** Fires on SIGTERM or SIGINT: the process is to finish what it holds and go. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
  return stop.signal
}

/** The process's log: one JSON object a line, on standard output. */
export function openLog(name: string, level: string, stream: DestinationStream = destination({ sync: true })): Logger {
  return pino({ name, level, ...FORM }, stream)
}

/** As {@link openLog}, for a process that has data: a fault that nobody foresaw is told without its words. */
export function openDiscreetLog(
  name: string,
  level: string,
  stream: DestinationStream = destination({ sync: true }),
): Logger {
  return pino({ name, level, ...FORM, serializers: { err: (error) => discreetError(error) } }, stream)
}

const FORM = { timestamp: stdTimeFunctions.isoTime, base: undefined, nestedKey: undefined }

/** Tells the process's log that the database is away, or back. */
export function tellOfDatabase(log: Logger, error: Error | undefined): void {
  if (error) log.warn({ event: 'database-away', err: error }, 'the database is away: waiting for it')
  else log.info({ event: 'database-back' }, 'the database is back')
}
