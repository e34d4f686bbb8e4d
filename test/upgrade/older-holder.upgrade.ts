/** A holder node of an earlier version in a venue of this one: it takes part, or it is told by name why not and what to do. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { makeInvite } from '../../src/cli/coordinator-actions.ts'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue, joinHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { loadResearcher } from '../../src/cli/venue-files.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { PROTOCOL_VERSION } from '../../src/wire/limits.ts'

/** The version before this one. */
const EARLIER = 'e493722'
const OLD = 'cleveland'
const ROOT = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

const isThere = await run('git', ['cat-file', '-e', `${EARLIER}^{commit}`], { cwd: ROOT }).then(
  () => true,
  () => false,
)
const theirs = isThere ? await earlierProtocol() : PROTOCOL_VERSION

async function earlierProtocol(): Promise<string> {
  const { stdout } = await run('git', ['show', `${EARLIER}:src/wire/limits.ts`], { cwd: ROOT })
  return /PROTOCOL_VERSION = '([^']+)'/.exec(stdout)![1]
}

const title = isThere ? `a holder of version ${EARLIER}` : `needs the history of ${EARLIER}: a shallow clone has not`
describe.skipIf(!isThere)(title, () => {
  let root: string
  let program: string
  const processes: SluiceProcess[] = []

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'sluice-upgrade-'))
    const checkout = join(root, 'earlier')
    mkdirSync(checkout)
    await run('sh', ['-c', `git archive ${EARLIER} | tar -x -C '${checkout}'`], { cwd: ROOT })
    // Its dependencies are ours: what is tested is its code.
    symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'))
    program = join(checkout, 'src/cli/sluice.ts')
    const venueDirectory = await foundHeartVenue(root)
    const coordinator = start('coordinator', ['coordinator', 'start', '--directory', venueDirectory])
    await coordinator.ready('listening')
  })
  afterAll(async () => {
    await Promise.all(processes.map((running) => running.stop()))
    if (root) rmSync(root, { recursive: true })
  })

  function start(name: string, args: string[], of?: string): SluiceProcess {
    const running = new SluiceProcess(name, args, of)
    processes.push(running)
    return running
  }

  const startHolder = (name: string, of?: string) => start(name, ['holder', 'start', '-d', join(root, name)], of)
  const joinAsEarlier = (invite: string, directory: string) =>
    run(process.execPath, [program, 'holder', 'join', invite, '--directory', directory])

  /** Of the same protocol: the coordinator does not even notice. */
  function describeTakingPart(): void {
    it('takes part, and verifies the sums', async () => {
      await joinHeartVenue(root, { [OLD]: joinAsEarlier })
      const old = startHolder(OLD, program)
      const others = heartHospitals.filter(({ name }) => name !== OLD).map(({ name }) => startHolder(name))
      await Promise.all([old, ...others].map((holder) => holder.ready('connected')))
      const { config, tls } = await loadResearcher(join(root, 'researcher'))
      const connection = new JobsConnection(config.coordinator, config.venue, tls)
      const job = await connection.submit(heartJob('logistic', 'ab'.repeat(32), 2))
      const contributors: string[][] = []
      for await (const { event } of connection.watch(job)) {
        if (event.kind === 'round-published') contributors.push([...event.contributors])
      }
      expect((await connection.result(job)).summary.state).toBe('completed')
      connection.close()
      expect(contributors).toHaveLength(4)
      for (const names of contributors) expect(names).toContain(OLD)
      for (const node of [old, ...others]) {
        // The last of them may still be at it.
        await expect
          .poll(() => node.lines.filter(({ event }) => event === 'sum-verified').length, { timeout: 20_000 })
          .toBe(4)
      }
    })
  }

  /** Of another protocol: neither by joining nor, as a member, by its node. */
  function describeRefusal(): void {
    it('that is a member is refused by name, told to be updated, and ends', async () => {
      await joinHeartVenue(root)
      // Whoever is no member yet is told to wait, whatever it speaks.
      const nodes = new Map(heartHospitals.map(({ name }) => [name as string, startHolder(name)]))
      await Promise.all([...nodes.values()].map((node) => node.ready('connected')))
      await nodes.get(OLD)!.stop()
      const refusal = await startHolder(OLD, program).ready('connected').catch(String)
      expect(refusal).toContain('[protocol-version]')
      expect(refusal).toMatch(/speaks protocol 2, the holder 1: update the older/)
    })

    it('that wants to join is refused by name, and told to be updated', async () => {
      const invite = await makeInvite(join(root, 'venue'), 'north', { organisation: 'North', expiresMs: 3_600_000 })
      const refusal = await joinAsEarlier(invite, join(root, 'north')).then(
        () => '',
        (error: { stderr?: string }) => error.stderr ?? '',
      )
      expect(refusal).toContain('[protocol-version]')
      expect(refusal).toMatch(/update the older/)
    })
  }

  if (theirs === PROTOCOL_VERSION) describeTakingPart()
  else describeRefusal()
})
