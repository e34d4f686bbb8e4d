import type { Command } from 'commander'

/** `sluice ready`: for health checks. */
export function addReadyCommand(program: Command): void {
  program
    .command('ready <url>')
    .description('ask a process at its adminListen whether it is ready; exit code 1 when it is not')
    .addHelpText(
      'after',
      `
The URL is http:// and the address of adminListen, such as http://127.0.0.1:7446. Prints what is in the way, by the names of
docs/OBSERVING.md.`,
    )
    .action(async (url) => {
      const { askReadiness } = await import('./ask-readiness.ts')
      const obstacle = await askReadiness(url)
      console.log(obstacle ?? 'ready')
      if (obstacle !== undefined) process.exitCode = 1
    })
}
