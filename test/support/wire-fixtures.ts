import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateOffice } from '../../src/cli/certificate-office.ts'
import type { JobDesk, RoundDesk } from '../../src/coordinator/ports.ts'
import { type CertifiedKey, createAuthority, issueCertificate, type Role } from '../../src/crypto/certificates.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { type BlobStores, storesOver } from '../../src/store/stores-over.ts'
import type { RegistrySource } from '../../src/wire/admission-service.ts'
import type { TlsMaterial } from '../../src/wire/credentials.ts'
import { HolderSessions } from '../../src/wire/holder-sessions.ts'
import { type RunningServer, startServer } from '../../src/wire/server.ts'
import { createParties, type Party } from './round-fixtures.ts'

export const VENUE = 'hearts.example'
const DAY_MS = 86_400_000

/** A real server over mutual TLS on loopback, with the real stores behind it. */
export interface TestServer {
  readonly address: string
  readonly authority: CertifiedKey
  readonly parties: readonly Party[]
  readonly sessions: HolderSessions
  readonly artifacts: BlobStores['artifacts']
  readonly spool: BlobStores['spool']
  readonly openings: BlobStores['openings']
  /** Names of the holders that belong to the venue now, and of those that wait to. */
  readonly members: Set<string>
  readonly pending: Set<string>
  readonly certificates: CertificateOffice
  readonly registry: RegistrySource
  /** TLS material of an identity of the venue, or of what the changes make of it. */
  credentials(
    role: Role,
    name: string,
    changes?: { venue?: string; lifetimeMs?: number; authority?: CertifiedKey },
  ): Promise<TlsMaterial>
  close(): Promise<void>
}

const noJobs: JobDesk = {
  submit: async () => '0'.repeat(64),
  list: async () => [],
  result: async () => {
    throw new Error('no job here')
  },
  async *watch() {},
  cancel: async () => false,
  output: async () => new Uint8Array(),
}

export interface TestServerOptions {
  readonly openingSent?: (bytes: number) => void
  readonly reconnectGraceMs?: number
  readonly jobs?: JobDesk
  readonly onFault?: (error: unknown) => void
  readonly idleMs?: number
  readonly listen?: string
  /** Where its stores are, as an earlier server left them. */
  readonly directory?: string
  readonly authority?: CertifiedKey
}

export async function startTestServer(rounds: RoundDesk, options: TestServerOptions = {}): Promise<TestServer> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'sluice-wire-'))
  const authority = options.authority ?? (await createAuthority(VENUE, 10 * DAY_MS))
  const parties = await createParties()
  const { artifacts, spool, openings } = storesOver(await openDirectoryBlobStore(directory))
  const sessions = new HolderSessions(options.reconnectGraceMs ?? 5000, spool)
  const credentials: TestServer['credentials'] = async (role, name, changes = {}) => {
    const { venue = VENUE, lifetimeMs = DAY_MS, authority: signer = authority } = changes
    const leaf = await issueCertificate(signer, { venue, role, name }, lifetimeMs, ['localhost', '127.0.0.1'])
    return { ...leaf, authorityPem: signer.certificatePem }
  }
  const members = new Set(parties.map(({ member }) => member.holder))
  const pending = new Set<string>()
  const certificates = await CertificateOffice.open(directory, authority, DAY_MS)
  const registry = { statementsAfter: async () => [] }
  const parts = {
    venue: VENUE,
    software: 'sluice/test',
    members: { has: (name: string) => members.has(name), isPending: (name: string) => pending.has(name) },
    certificates,
    registry,
    sessions,
    rounds,
    artifacts,
    spool,
    openings,
    idleMs: options.idleMs ?? 500,
    onFault: options.onFault,
    openingSent: options.openingSent,
  }
  const tls = await credentials('coordinator', 'coordinator')
  const server: RunningServer = await startServer(options.listen ?? '127.0.0.1:0', tls, parts, options.jobs ?? noJobs)
  return {
    address: `127.0.0.1:${server.port}`,
    authority,
    parties,
    sessions,
    artifacts,
    spool,
    openings,
    members,
    pending,
    certificates,
    registry,
    credentials,
    close: async () => {
      await server.stop()
      await rm(directory, { recursive: true })
    },
  }
}

/** Waits until something holds; fails the test by its own timeout when it never does. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}
