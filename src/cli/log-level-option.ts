import { Option } from 'commander'

/** How much a process writes to its log. */
export function logLevelOption(): Option {
  return new Option('--log-level <level>', 'how much goes to the log')
    .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .env('SLUICE_LOG_LEVEL')
    .default('info')
}
