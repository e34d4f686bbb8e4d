import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { stringify as toYaml } from 'yaml'
import { z } from 'zod'
import { describeInvalid, type Environment, type Overlay, overlayEnvironment } from '../configuration/environment.ts'
import { type CertifiedKey, certificateTimes, createAuthority, issueCertificate } from '../crypto/certificates.ts'
import { fromHex, toHex } from '../crypto/digest.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import { drawStatementSeed, type StatementKey, statementKeyFromSeed } from '../crypto/statement-key.ts'
import type { LogSigner } from '../log/checkpoint.ts'
import { joinKeyAndCertificate, splitKeyAndCertificate, type TlsMaterial } from '../wire/credentials.ts'
import { CliError } from './cli-error.ts'
import { readDataFile, readSchemaFile, readTextFile, writeSecretFile, writeWholeFile } from './files.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS
const COORDINATOR_LIFETIME_MS = 90 * DAY_MS

const addressField = z.string().regex(/^\S+:\d{1,5}$/, 'not host:port')

/** `coordinator.yaml`, in the coordinator's directory; paths are relative to it. */
export const coordinatorConfigSchema = z.strictObject({
  venue: z.string().regex(/^[a-z0-9.-]{1,120}$/, 'not a venue name: a–z, 0–9, "." and "-"'),
  /** host:port to listen on. */
  listen: addressField,
  /** host:port under which holders and researchers dial. */
  address: addressField,
  /** host:port to listen on for invited parties, which have no certificate yet. */
  enrolListen: addressField,
  /** host:port under which invited parties dial. */
  enrolAddress: addressField,
  /** host:port to serve the transparency log on, over plain HTTP. */
  logListen: addressField,
  /** host:port of `/healthz`, `/readyz` and `/metrics`, over plain HTTP; loopback at the third port after `listen` unless told. */
  adminListen: z.union([addressField, z.literal('none')]).optional(),
  /** Where spans are exported to, OTLP over HTTP. */
  tracesEndpoint: z.url({ protocol: /^https?$/ }).optional(),
  /** Life of the certificates of holders and researchers; each is renewed at two thirds of it. */
  certificateLifetimeHours: z.int().min(1).max(2160).default(168),
  /** Where state lies: the embedded database, and what `blobs` says unless it says otherwise. */
  state: z.string().default('state'),
  /**
   * URL of a bucket or a directory for ciphertexts, openings and artifacts; the state directory unless told. Several coordinators of
   * a venue have one and the same.
   */
  blobs: z.url({ protocol: /^(s3|file)$/ }).optional(),
  /** Threads that add and open; one for each processor unless told. */
  payloadThreads: z.int().min(1).max(256).optional(),
  /** How long a committee has to certify, and then to answer. */
  committeeTimeoutMs: z.int().min(1000).default(30_000),
  /** How long a round waits for a holder that it wants before it begins without it. */
  gatherMs: z.int().min(0).default(15_000),
  /** How long a holder that dropped may take to dial again before its request counts as refused. */
  reconnectGraceMs: z.int().min(0).default(10_000),
  /** Jobs that this coordinator runs at a time. */
  maxRunningJobs: z.int().min(1).max(1000).default(8),
  /** Jobs that a holder takes part in at a time, whichever coordinators run them. */
  maxJobsPerHolder: z.int().min(1).max(1000).default(2),
  /** How long a job stays with a coordinator that is not heard of any more, before another takes it up. */
  leaseMs: z.int().min(1000).max(600_000).default(10_000),
})

export type CoordinatorConfig = z.output<typeof coordinatorConfigSchema>

/** `researcher.yaml`, in a researcher's directory. */
const researcherConfigSchema = z.strictObject({ name: z.string(), venue: z.string(), coordinator: z.string() })

export type ResearcherConfig = z.output<typeof researcherConfigSchema>

/** Of every party: its key and certificate in one file, and the root of its venue. */
export const TLS_FILES = { identity: 'secrets/tls.pem', authority: 'authority.pem' } as const
const STATEMENT_SEED = 'secrets/statement.seed'
const LOG_SEED = 'secrets/log.seed'
const AUTHORITY_KEY = 'secrets/authority.key.pem'

export interface VenueOptions {
  readonly venue: string
  readonly listen: string
  /** Defaults to `listen`. */
  readonly address?: string
  /** Default to the ports after `listen` and `address`, `adminListen` on loopback; port 0 stays 0. */
  readonly enrolListen?: string
  readonly enrolAddress?: string
  readonly logListen?: string
  readonly adminListen?: string
}

/**
 * Founds a venue: its root of certificates, the coordinator's keys, the log's key, the configuration.
 * @throws CliError `directory-not-empty` when a venue is there already: it is never overwritten; `usage`,
 *   `file-not-writable`
 */
export async function createVenue(directory: string, options: VenueOptions): Promise<void> {
  const config = completeConfig(options)
  if (existsSync(join(directory, 'coordinator.yaml'))) {
    throw new CliError('directory-not-empty', `${directory} holds a venue already: choose another directory.`)
  }
  const authority = await createAuthority(config.venue, AUTHORITY_LIFETIME_MS)
  await writeSecretFile(join(directory, AUTHORITY_KEY), authority.keyPem)
  await writeWholeFile(join(directory, TLS_FILES.authority), authority.certificatePem)
  await writeSecretFile(join(directory, STATEMENT_SEED), `${toHex(drawStatementSeed(systemRandomness))}\n`)
  await writeSecretFile(join(directory, LOG_SEED), `${toHex(drawStatementSeed(systemRandomness))}\n`)
  await issueOwnCertificate(directory, config, authority)
  // Last: a directory without it is not a venue yet, and may be founded again.
  await writeWholeFile(join(directory, 'coordinator.yaml'), toYaml(config))
}

function completeConfig({ venue, listen, address = listen, ...options }: VenueOptions) {
  checkOption(coordinatorConfigSchema.pick({ venue: true, listen: true, address: true }), { venue, listen, address })
  const enrolListen = options.enrolListen ?? portAfter(listen, 1)
  const enrolAddress =
    options.enrolAddress ?? (options.enrolListen && address === listen ? options.enrolListen : portAfter(address, 1))
  const logListen = options.logListen ?? portAfter(listen, 2)
  const adminListen = options.adminListen ?? adminListenOf({ listen })
  const config = { venue, listen, address, enrolListen, enrolAddress, logListen, adminListen }
  checkOption(coordinatorConfigSchema, config)
  return config
}

/** Where the administrator's listener is; undefined for none. A configuration from before there was one has the default. */
export function adminListenOf({
  listen,
  adminListen,
}: Pick<CoordinatorConfig, 'listen' | 'adminListen'>): string | undefined {
  if (adminListen === 'none') return undefined
  return adminListen ?? portAfter(`127.0.0.1:${listen.slice(listen.lastIndexOf(':') + 1)}`, 3)
}

/** The same host at a later port. Port 0, which takes any that is free, stays 0. */
function portAfter(address: string, count: number): string {
  const colon = address.lastIndexOf(':')
  const port = Number(address.slice(colon + 1))
  if (port + count > 65_535)
    throw new CliError('usage', `Take a lower port than ${port}: the ${count} after it is used, too.`)
  return `${address.slice(0, colon)}:${port === 0 ? 0 : port + count}`
}

async function issueOwnCertificate(
  directory: string,
  { venue, address, enrolAddress }: Pick<CoordinatorConfig, 'venue' | 'address' | 'enrolAddress'>,
  authority: CertifiedKey,
): Promise<void> {
  const identity = { venue, role: 'coordinator', name: 'coordinator' } as const
  const hosts = new Set([hostOf(address), hostOf(enrolAddress), 'localhost'])
  const tls = await issueCertificate(authority, identity, COORDINATOR_LIFETIME_MS, [...hosts])
  await writeSecretFile(join(directory, TLS_FILES.identity), joinKeyAndCertificate(tls))
}

/** An IPv6 address stands in brackets before a port, and without them in a certificate. */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
}

/** The TLS files of a party's directory. @throws CliError `file-not-readable`; WireError `credential-invalid` */
export async function readTls(directory: string): Promise<TlsMaterial> {
  const [identity, authorityPem] = await Promise.all(
    [TLS_FILES.identity, TLS_FILES.authority].map((path) => readTextFile(join(directory, path))),
  )
  return { ...splitKeyAndCertificate(identity), authorityPem }
}

/** Of the one coordinator that most venues have; each further one has a file of its own beside it. */
export const COORDINATOR_CONFIG = 'coordinator.yaml'

/** Everything that a coordinator reads before it starts. */
export interface VenueFiles {
  readonly config: CoordinatorConfig
  readonly tls: TlsMaterial
  /** Signs the coordinator's statements. */
  readonly key: StatementKey
  /** Signs the checkpoints of the log; its origin is `<venue>/log`. */
  readonly logSigner: LogSigner
  /** Signs certificates and the list of the revoked ones. */
  readonly authority: CertifiedKey
}

/** Where a venue's configuration is read from: the file's name in its directory, and the environment over it. */
export interface ConfigSource {
  readonly configFile?: string
  readonly env?: Environment
}

/**
 * Reads `coordinator.yaml` in `directory`, or the file of one of several coordinators, under the environment.
 * @throws CliError `file-not-readable`, `file-invalid` naming every wrong field; ConfigurationError
 */
export async function readCoordinatorConfig(
  directory: string,
  { configFile = COORDINATOR_CONFIG, env = process.env }: ConfigSource = {},
): Promise<{ readonly config: CoordinatorConfig; readonly file: unknown; readonly overlay: Overlay }> {
  const path = join(directory, configFile)
  const file = await readDataFile(path)
  const overlay = await overlayEnvironment(coordinatorConfigSchema, file, env)
  const read = coordinatorConfigSchema.safeParse(overlay.input)
  if (!read.success) throw new CliError('file-invalid', `Correct ${path}:\n${describeInvalid(read.error, overlay)}`)
  return { config: read.data, file, overlay }
}

/** @throws CliError `file-not-readable`, `file-invalid`; ConfigurationError; CryptoError, WireError for a key that is none */
export async function loadVenue(directory: string, source: ConfigSource = {}): Promise<VenueFiles> {
  const { config } = await readCoordinatorConfig(directory, source)
  const tls = await readTls(directory)
  const key = await readStatementKey(join(directory, STATEMENT_SEED))
  const logSigner = { origin: `${config.venue}/log`, key: await readStatementKey(join(directory, LOG_SEED)) }
  const keyPem = await readTextFile(join(directory, AUTHORITY_KEY))
  return { config, tls, key, logSigner, authority: { keyPem, certificatePem: tls.authorityPem } }
}

async function readStatementKey(path: string): Promise<StatementKey> {
  return statementKeyFromSeed(fromHex((await readTextFile(path)).trim()))
}

/**
 * {@link loadVenue} for the process that listens: the coordinator's own certificate is replaced by a new one, under a new
 * key, when two thirds of its life are over, or all of it.
 */
export async function loadVenueToRun(directory: string, now: Date, source: ConfigSource = {}): Promise<VenueFiles> {
  const venue = await loadVenue(directory, source)
  if (now < certificateTimes(venue.tls.certificatePem).renewAt) return venue
  await issueOwnCertificate(directory, venue.config, venue.authority)
  return { ...venue, tls: await readTls(directory) }
}

/** What a researcher's commands read. @throws CliError */
export async function loadResearcher(directory: string): Promise<{ config: ResearcherConfig; tls: TlsMaterial }> {
  const config = await readSchemaFile(join(directory, 'researcher.yaml'), researcherConfigSchema)
  return { config, tls: await readTls(directory) }
}

/** What came on the command line, checked before anything is made of it. @throws CliError `usage` */
export function checkOption<T>(schema: z.ZodType<T>, value: unknown): T {
  const read = schema.safeParse(value)
  if (!read.success) throw new CliError('usage', `Correct the command:\n${z.prettifyError(read.error)}`)
  return read.data
}
