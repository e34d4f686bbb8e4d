import type { Command } from 'commander'
import { parseCount, parsePosition } from './parse-count.ts'

const PLACE = 'where the log is: http://host:port/log, or a directory that "sluice log fetch" made'

/** `sluice log …`: for auditors. Nobody has to be trusted for what these commands say. */
export function addLogCommands(program: Command): void {
  const log = program.command('log').description('audit the transparency log: copy it, verify it, read it')

  log
    .command('fetch <url>')
    .description('copy a log to audit it offline, or bring an earlier copy up to date')
    .requiredOption('--out <path>', 'the directory of the copy')
    .option('--json', 'print one JSON object')
    .action(async (url, options) => (await import('./log-actions.ts')).fetchLog(url, options))

  log
    .command('verify <place>')
    .description('check every entry, hash, signature and cosignature of a log; exit code 1 names the first fault')
    .requiredOption('--key <vkey>', 'the log’s key, <name>+<id>+<base64>, or a file that holds it')
    .option('--witness <vkey...>', 'keys of witnesses, or files that hold them')
    .option('--quorum <n>', 'how many of the witnesses must have cosigned; all unless told', parsePosition)
    .option('--earlier <file...>', 'checkpoints kept from before: the log must continue each of them')
    .option('--json', 'print one JSON object')
    .addHelpText('after', `\n<place>: ${PLACE}. With a directory nothing is dialled.`)
    .action(async (place, options) => (await import('./log-actions.ts')).verifyLogAt(place, options))

  log
    .command('show <place>')
    .description('print entries for people; nothing is verified, see "sluice log verify"')
    .option('--from <n>', 'position of the first entry, from 0; the latest ones unless told', parsePosition)
    .option('--limit <n>', 'how many', parseCount, 20)
    .option('--json', 'print one JSON object a line, with the whole statement')
    .addHelpText('after', `\n<place>: ${PLACE}.`)
    .action(async (place, options) => (await import('./log-actions.ts')).showLog(place, options))
}
