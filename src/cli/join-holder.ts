import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { stringify as toYaml } from 'yaml'
import { z } from 'zod'
import { drawIdentity, type IdentityFile, openIdentity } from '../../nodes/holder/holder-identity.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import { applicationStatement } from '../protocol/registry-statements.ts'
import type { Member } from '../protocol/round-plan.ts'
import { signStatement } from '../protocol/statement.ts'
import { CliError } from './cli-error.ts'
import { readDataFile, readSchemaFile, writeSecretFile, writeWholeFile } from './files.ts'
import type { Invite } from './invite.ts'
import { joinVenue } from './join-venue.ts'
import { TLS_FILES } from './venue-files.ts'

const IDENTITY = 'secrets/identity.json'

/** What a holder that has joined shows to others. Public. */
export interface JoinedHolder {
  readonly member: Member
  readonly application: Envelope
}

/**
 * Makes the directory of a data holder out of an invite: draws all its keys here, applies with them, fetches the certificate,
 * and writes a configuration to complete. Interrupted anywhere it can be run again, with the same keys. With a later invite
 * of the same name it fetches a new certificate and leaves everything else as it is.
 * @throws CliError `not-invited`, `directory-not-empty`, `file-not-writable`; WireError as `joinVenue`
 */
export async function joinHolder(invite: Invite, directory: string): Promise<JoinedHolder> {
  const { organisation } = invite
  if (invite.role !== 'holder' || !organisation) {
    throw new CliError('not-invited', 'This invite is for a researcher: use "sluice researcher join".')
  }
  await requireOwnConfig(directory, invite)
  const identity = await keepIdentity(directory, invite.name, organisation)
  const { keys, member } = await openIdentity(identity)
  const application = signStatement(applicationStatement, { venue: invite.venue, member }, keys.statementKey)
  await joinVenue(directory, invite, application)
  if (!existsSync(join(directory, 'policy.yaml'))) await writeWholeFile(join(directory, 'policy.yaml'), POLICY_TEMPLATE)
  // Last: a directory with it has joined. It is its owner's from here on.
  const config = join(directory, 'holder.yaml')
  if (!existsSync(config)) await writeWholeFile(config, holderYaml(invite))
  return { member, application }
}

async function requireOwnConfig(directory: string, { name, venue }: Invite): Promise<void> {
  const path = join(directory, 'holder.yaml')
  if (!existsSync(path)) return
  const config = await readSchemaFile(path, z.looseObject({ name: z.string(), venue: z.string() }))
  if (config.name === name && config.venue === venue) return
  throw new CliError(
    'directory-not-empty',
    `${directory} belongs to ${config.name} at ${config.venue}, the invite to ${name} at ${venue}: choose another directory.`,
  )
}

/** The identity of the directory, drawn when there is none. @throws CliError `directory-not-empty` when it is another's */
async function keepIdentity(directory: string, holder: string, organisation: string): Promise<unknown> {
  const path = join(directory, IDENTITY)
  if (!existsSync(path)) {
    const drawn = drawIdentity(holder, organisation, systemRandomness)
    await writeSecretFile(path, `${JSON.stringify(drawn, null, 2)}\n`)
    return drawn
  }
  const known = (await readDataFile(path)) as Partial<IdentityFile> | null
  if (known?.holder === holder && known.organisation === organisation) return known
  throw new CliError(
    'directory-not-empty',
    `${path} is the identity of ${known?.holder} of ${known?.organisation}, the invite is for ${holder} of ${organisation}: choose another directory.`,
  )
}

function holderYaml({ name, venue, coordinator, coordinatorKey, logKey }: Invite): string {
  return toYaml({
    name,
    venue,
    coordinator,
    coordinatorKey,
    logKey,
    tls: TLS_FILES,
    identity: IDENTITY,
    policy: 'policy.yaml',
    journal: 'journal',
    datasets: [],
  })
}

const POLICY_TEMPLATE = `# What this holder takes part in, whatever a coordinator asks. Read at start.
# No round over fewer organisations than this.
minContributors: 3
# No committee that opens with fewer members, or tolerates fewer colluding ones, than this.
committeeThreshold: 3
toleratedMembers: 1
# No finer quantisation of a value than this many bits.
maxPrecisionBits: 32
# Names of the members whose company is accepted, or all.
coMembers: all
# Newcomers, new keys and revocations: ask leaves each to "sluice holder approve"; approve signs whatever is proposed.
admissions: ask
# How many sums of one job may be published that this holder cannot verify before it takes no further part in it.
maxUnverifiedSums: 3
# Which dataset of holder.yaml may be used, for which steps, in how many rounds altogether.
datasets: {}
#  heart:
#    steps: [statistics, training, evaluation]
#    maxRounds: 10000
`
