import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'

/** Fires on SIGTERM or SIGINT: the process is to finish what it holds and go. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
  return stop.signal
}

/** The process's log: one JSON object a line, on standard output. */
export function openLog(name: string, level: string, stream: DestinationStream = destination({ sync: true })): Logger {
  return pino({ name, level, timestamp: stdTimeFunctions.isoTime, base: undefined, nestedKey: undefined }, stream)
}
