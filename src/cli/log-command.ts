import { type Command, Option } from 'commander'
import { parseCount, parsePosition } from './parse-count.ts'

const PLACE = 'where the log is: http://host:port/log, or a directory that "sluice log fetch" made'

const VERIFY_HELP = `
<place>: ${PLACE}. With a directory nothing is dialled.

Always: every entry and hash, the signed root, the cosignatures of --witness (all of them unless --quorum says how many).
With the coordinator's key: that members, jobs and rounds in it kept to the rules, and which members cosigned. A holder's
directory has both keys: sluice log verify <place> --holder <path>`

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
    .description('check a log, and what it says: exit code 1 names what is wrong')
    .option('--key <vkey>', 'the log’s key, <name>+<id>+<base64>, or a file that holds it')
    .option('--coordinator-key <hex>', 'the coordinator’s statement key: audit what the log says, too')
    .addOption(
      new Option('--holder <path>', 'take both keys from the holder.yaml in this directory').conflicts([
        'key',
        'coordinatorKey',
      ]),
    )
    .option('--witness <vkey...>', 'keys of witnesses, or files that hold them; the members unless told')
    .option('--quorum <n>', 'how many of the witnesses, or organisations of members, must have cosigned', parsePosition)
    .option('--earlier <file...>', 'checkpoints kept from before: the log must continue each of them')
    .option('--json', 'print one JSON object')
    .addHelpText('after', VERIFY_HELP)
    .action(async (place, options, command: Command) => {
      if (options.key === undefined && options.holder === undefined) {
        command.error("error: give the log's key with --key, or a holder's directory with --holder")
      }
      await (await import('./log-actions.ts')).verifyLogAt(place, options)
    })

  log
    .command('show <place>')
    .description('print entries for people; nothing is verified, see "sluice log verify"')
    .option('--from <n>', 'position of the first entry, from 0; the latest ones unless told', parsePosition)
    .option('--limit <n>', 'how many', parseCount, 20)
    .option('--json', 'print one JSON object a line, with the whole statement')
    .addHelpText('after', `\n<place>: ${PLACE}.`)
    .action(async (place, options) => (await import('./log-actions.ts')).showLog(place, options))
}
