import { keyFingerprint } from '../../nodes/holder/admission-requests.ts'
import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { applyRegistryStatement, emptyRegistry, type Registry } from '../protocol/registry.ts'
import { HolderConnection } from '../wire/holder-connection.ts'
import { WireError } from '../wire/wire-error.ts'
import { CliError } from './cli-error.ts'
import { type Invite, readInvite } from './invite.ts'
import { joinHolder } from './join-holder.ts'
import { joinResearcher } from './join-researcher.ts'
import { SOFTWARE } from './version.ts'

/*
 * What `sluice holder join` and `sluice researcher join` do, and say.
 */

/** As `sluice holder members` shows them: 80 bits. */
const shorten = (digest: string) => digest.slice(0, 20)

export async function holderJoin(argument: string, directory?: string): Promise<void> {
  const invite = await readInvite(argument)
  const place = directory ?? invite.name
  const { member, application } = await joinHolder(invite, place)
  const registry = await readRegistry(invite, place)
  const { holder, organisation, statementKey, boxKey } = member
  console.log(`Joined ${invite.venue} as ${holder}, ${organisation}: see ${place}.`)
  console.log('Its keys were drawn here and stay here: back up the directory.')
  console.log(`  statement key ${shorten(keyFingerprint(statementKey))}, box key ${shorten(keyFingerprint(boxKey))}`)
  console.log(`  fingerprint of the application: ${shorten(statementDigest(application))}`)
  console.log(describeMembers(registry, holder))
  console.log(`Next: name its datasets in ${place}/holder.yaml, offer them in ${place}/policy.yaml,`)
  console.log(`      sluice holder check --directory ${place}; sluice holder start --directory ${place}`)
}

function describeMembers(registry: Registry | undefined, holder: string): string {
  if (!registry) return 'Who the members are, the node will find out when it starts.'
  const names = [...registry.members.values()].map(({ holder: name, organisation }) => `${name} (${organisation})`)
  const members = `Members: ${names.join(', ') || 'none yet'}.`
  if (registry.members.has(holder)) return members
  return `${members} They have to approve the application: let each compare its fingerprint with you first.`
}

/** The registry as of now, verified from the first statement; undefined when the coordinator cannot be asked. */
async function readRegistry({ venue, coordinatorKey, coordinator }: Invite, directory: string) {
  const { tls } = await loadHolderSettings(directory)
  const connection = new HolderConnection(coordinator, venue, tls, SOFTWARE, { stallMs: 0 })
  try {
    let registry = emptyRegistry(venue)
    for (;;) {
      const page = await connection.fetchRegistry(registry.sequence)
      if (page.length === 0) return registry
      for (const statement of page) {
        const applied = applyRegistryStatement(registry, statement, coordinatorKey)
        if (!applied.ok) {
          throw new CliError(
            'registry-invalid',
            `The coordinator shows a registry that does not verify (${applied.reason}): do not start this node, and tell the other members.`,
          )
        }
        registry = applied.value
      }
    }
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  } finally {
    connection.close()
  }
}

export async function researcherJoin(argument: string, directory?: string): Promise<void> {
  const invite = await readInvite(argument)
  const place = directory ?? invite.name
  await joinResearcher(invite, place)
  console.log(
    `Joined ${invite.venue} as researcher ${invite.name}: see ${place}. Its key was drawn here and stays here.`,
  )
  console.log(`Next: sluice job submit job.yaml --as ${place}`)
}
