import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { stringify as toYaml } from 'yaml'
import { z } from 'zod'
import { type MembersFile, membersFileSchema } from '../../nodes/holder/holder-config.ts'
import { drawIdentity, openIdentity } from '../../nodes/holder/holder-identity.ts'
import { type CertifiedKey, createAuthority, issueCertificate, type Role } from '../crypto/certificates.ts'
import { fromHex, toHex } from '../crypto/digest.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import { drawStatementSeed, type StatementKey, statementKeyFromSeed } from '../crypto/statement-key.ts'
import { identityField } from '../protocol/statement.ts'
import type { TlsMaterial } from '../wire/credentials.ts'
import { CliError } from './cli-error.ts'
import { readSchemaFile, readTextFile, writeSecretFile, writeWholeFile } from './files.ts'

const DAY_MS = 86_400_000
const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS
/** Until admission by invite, with rotation, exists: long enough for a pilot, short enough to be noticed. */
const LEAF_LIFETIME_MS = 90 * DAY_MS

const addressField = z.string().regex(/^\S+:\d{1,5}$/, 'not host:port')

/** `coordinator.yaml`, in the coordinator's directory; paths are relative to it. */
const coordinatorConfigSchema = z.strictObject({
  venue: z.string().regex(/^[a-z0-9.-]{1,120}$/, 'not a venue name: a–z, 0–9, "." and "-"'),
  /** host:port to listen on. */
  listen: addressField,
  /** host:port under which holders and researchers dial. */
  address: addressField,
  /** Where state lies: the embedded database, spooled ciphertexts, artifacts. */
  state: z.string().default('state'),
  /** Threads that add and open; one for each processor unless told. */
  payloadThreads: z.int().min(1).max(256).optional(),
  /** How long a committee has to certify, and then to answer. */
  committeeTimeoutMs: z.int().min(1000).default(30_000),
  /** How long a round waits for a holder that it wants before it begins without it. */
  gatherMs: z.int().min(0).default(15_000),
  /** How long a holder that dropped may take to dial again before its request counts as refused. */
  reconnectGraceMs: z.int().min(0).default(10_000),
})

export type CoordinatorConfig = z.output<typeof coordinatorConfigSchema>

/** `researcher.yaml`, in a researcher's directory. */
const researcherConfigSchema = z.strictObject({ name: z.string(), venue: z.string(), coordinator: z.string() })

export type ResearcherConfig = z.output<typeof researcherConfigSchema>

const TLS_FILES = { key: 'secrets/tls.key.pem', certificate: 'tls.pem', authority: 'authority.pem' } as const
const STATEMENT_SEED = 'secrets/statement.seed'
const AUTHORITY_KEY = 'secrets/authority.key.pem'
const MEMBERS = 'members.json'

export interface VenueOptions {
  readonly venue: string
  readonly listen: string
  /** Defaults to `listen`. */
  readonly address?: string
}

/**
 * Founds a venue: its root of certificates, the coordinator's keys and configuration, and an empty list of members.
 * @throws CliError `directory-not-empty` when a venue is there already: it is never overwritten; `usage`,
 *   `file-not-writable`
 */
export async function createVenue(directory: string, { venue, listen, address = listen }: VenueOptions): Promise<void> {
  checkOption(coordinatorConfigSchema, { venue, listen, address })
  if (existsSync(join(directory, 'coordinator.yaml'))) {
    throw new CliError('directory-not-empty', `${directory} holds a venue already: choose another directory.`)
  }
  const authority = await createAuthority(venue, AUTHORITY_LIFETIME_MS)
  // An IPv6 address stands in brackets before a port, and without them in a certificate.
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
  const identity = { venue, role: 'coordinator', name: 'coordinator' } as const
  const tls = await issueCertificate(authority, identity, LEAF_LIFETIME_MS, [...new Set([host, 'localhost'])])
  await writeSecretFile(join(directory, AUTHORITY_KEY), authority.keyPem)
  await writeSecretFile(join(directory, STATEMENT_SEED), `${toHex(drawStatementSeed(systemRandomness))}\n`)
  await writeTls(directory, tls, authority.certificatePem)
  await writeMembers(directory, { venue, members: [] })
  // Last: a directory without it is not a venue yet, and may be founded again.
  await writeWholeFile(join(directory, 'coordinator.yaml'), toYaml({ venue, listen, address }))
}

async function writeTls(directory: string, tls: CertifiedKey, authorityPem: string): Promise<void> {
  await writeSecretFile(join(directory, TLS_FILES.key), tls.keyPem)
  await writeWholeFile(join(directory, TLS_FILES.certificate), tls.certificatePem)
  await writeWholeFile(join(directory, TLS_FILES.authority), authorityPem)
}

async function writeMembers(directory: string, members: MembersFile): Promise<void> {
  await writeWholeFile(join(directory, MEMBERS), `${JSON.stringify(members, null, 2)}\n`)
}

async function readTls(directory: string): Promise<TlsMaterial> {
  const [keyPem, certificatePem, authorityPem] = await Promise.all(
    [TLS_FILES.key, TLS_FILES.certificate, TLS_FILES.authority].map((path) => readTextFile(join(directory, path))),
  )
  return { keyPem, certificatePem, authorityPem }
}

export interface VenueFiles {
  readonly config: CoordinatorConfig
  readonly tls: TlsMaterial
  readonly key: StatementKey
  readonly members: MembersFile
}

/** Everything that a coordinator reads before it starts. @throws CliError */
export async function loadVenue(directory: string): Promise<VenueFiles> {
  const config = await readSchemaFile(join(directory, 'coordinator.yaml'), coordinatorConfigSchema)
  const tls = await readTls(directory)
  const key = statementKeyFromSeed(fromHex((await readTextFile(join(directory, STATEMENT_SEED))).trim()))
  const members = await readSchemaFile(join(directory, MEMBERS), membersFileSchema)
  return { config, tls, key, members }
}

/** What a researcher's commands read. @throws CliError */
export async function loadResearcher(directory: string): Promise<{ config: ResearcherConfig; tls: TlsMaterial }> {
  const config = await readSchemaFile(join(directory, 'researcher.yaml'), researcherConfigSchema)
  return { config, tls: await readTls(directory) }
}

/**
 * Admits a data holder: makes its keys, certificate and a configuration to complete, in a directory to hand over, and
 * enters its public keys in the venue's list of members.
 *
 * The keys are made here, at the venue, and the directory carries them: fit for a demo or a pilot within one
 * organisation. See docs/THREAT_MODEL.md.
 * @throws CliError `already-admitted`, `directory-not-empty`, `usage`, `file-not-writable`
 */
export async function admitHolder(
  venueDirectory: string,
  name: string,
  organisation: string,
  out: string,
): Promise<void> {
  checkOption(identityField, name)
  const { config, key, members } = await loadVenue(venueDirectory)
  if (members.members.some(({ holder }) => holder === name)) {
    throw new CliError('already-admitted', `${name} is a member already: choose another name.`)
  }
  requireEmpty(out, 'holder.yaml')
  const identity = drawIdentity(name, organisation, systemRandomness)
  const { member } = await openIdentity(identity)
  const { authorityPem, tls } = await issueLeaf(venueDirectory, 'holder', name)
  await writeTls(out, tls, authorityPem)
  await writeSecretFile(join(out, 'secrets/identity.json'), `${JSON.stringify(identity, null, 2)}\n`)
  await writeWholeFile(join(out, 'policy.yaml'), POLICY_TEMPLATE)
  await writeWholeFile(join(out, 'holder.yaml'), holderYaml(name, config, key.publicKey))
  const admitted = { ...members, members: [...members.members, member] }
  await writeMembers(venueDirectory, admitted)
  await writeMembers(out, admitted)
}

/**
 * Makes the directory of a researcher: certificate and address.
 * @throws CliError `directory-not-empty`, `usage`, `file-not-writable`
 */
export async function admitResearcher(venueDirectory: string, name: string, out: string): Promise<void> {
  checkOption(identityField, name)
  const { config } = await loadVenue(venueDirectory)
  requireEmpty(out, 'researcher.yaml')
  const { authorityPem, tls } = await issueLeaf(venueDirectory, 'researcher', name)
  await writeTls(out, tls, authorityPem)
  await writeWholeFile(join(out, 'researcher.yaml'), toYaml({ name, venue: config.venue, coordinator: config.address }))
}

/** What came on the command line, checked before anything is made of it. @throws CliError `usage` */
function checkOption<T>(schema: z.ZodType<T>, value: unknown): T {
  const read = schema.safeParse(value)
  if (!read.success) throw new CliError('usage', `Correct the command:\n${z.prettifyError(read.error)}`)
  return read.data
}

function requireEmpty(directory: string, file: string): void {
  if (existsSync(join(directory, file))) {
    throw new CliError('directory-not-empty', `${directory} holds a ${file} already: choose another directory.`)
  }
}

async function issueLeaf(venueDirectory: string, role: Role, name: string) {
  const authority = {
    keyPem: await readTextFile(join(venueDirectory, AUTHORITY_KEY)),
    certificatePem: await readTextFile(join(venueDirectory, TLS_FILES.authority)),
  }
  const { config } = await loadVenue(venueDirectory)
  const tls = await issueCertificate(authority, { venue: config.venue, role, name }, LEAF_LIFETIME_MS)
  return { tls, authorityPem: authority.certificatePem }
}

function holderYaml(name: string, { venue, address }: CoordinatorConfig, coordinatorKey: string): string {
  return toYaml({
    name,
    venue,
    coordinator: address,
    coordinatorKey,
    tls: TLS_FILES,
    identity: 'secrets/identity.json',
    members: MEMBERS,
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
# Which dataset of holder.yaml may be used, for which steps, in how many rounds altogether.
datasets: {}
#  heart:
#    steps: [statistics, training, evaluation]
#    maxRounds: 10000
`
