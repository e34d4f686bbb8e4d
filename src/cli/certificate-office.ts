import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type CertifiedKey,
  certificateTimes,
  createRevocationList,
  type Identity,
  issueFromRequest,
  serialNumberOf,
} from '../crypto/certificates.ts'
import { instantField } from '../protocol/statement.ts'
import type { CertificateDesk, IssuedCertificate } from '../wire/peer.ts'
import { WireError } from '../wire/wire-error.ts'
import { readSchemaFile, writeSecretFile, writeWholeFile } from './files.ts'

/** `certificates/<role>-<name>.json`: what was issued to one identity and has not expired. */
const issuedSchema = z.array(
  z.strictObject({
    serialNumber: z.string().regex(/^[0-9a-f]{1,40}$/),
    expiresAt: instantField,
    revokedAt: instantField.optional(),
  }),
)

type Issued = z.output<typeof issuedSchema>

/** How long a revocation list counts; it is written anew at every start and revocation, and daily. */
const LIST_LIFETIME_MS = 7 * 86_400_000
/** Of one identity at a time. Renewal needs two or three; a member that asks without end must not fill the disk. */
const CERTIFICATES_MAX = 20
export const REVOCATION_LIST = 'revoked.crl.pem'

/**
 * Issues and revokes the venue's certificates, and knows which are revoked. Every certificate is in its file before it leaves,
 * because one that nobody remembers cannot be revoked. Several coordinators of a venue may have one directory: each reads a file before
 * it writes it, and all of them now and then (`refresh`). Two that change one identity's file in the same instant are not kept apart.
 */
export class CertificateOffice implements CertificateDesk {
  readonly #directory: string
  readonly #authority: CertifiedKey
  readonly #lifetimeMs: number
  readonly #now: () => Date
  /** By file name. */
  readonly #issued = new Map<string, Issued>()
  readonly #revoked = new Set<string>()
  /** When each file was last changed, as far as it is known here. */
  readonly #readAt = new Map<string, number>()
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(directory: string, authority: CertifiedKey, lifetimeMs: number, now: () => Date) {
    this.#directory = directory
    this.#authority = authority
    this.#lifetimeMs = lifetimeMs
    this.#now = now
  }

  /** @throws CliError `file-not-readable`, `file-invalid` */
  static async open(
    directory: string,
    authority: CertifiedKey,
    lifetimeMs: number,
    now: () => Date = () => new Date(),
  ): Promise<CertificateOffice> {
    const office = new CertificateOffice(directory, authority, lifetimeMs, now)
    await mkdir(join(directory, 'certificates'), { recursive: true, mode: 0o700 })
    await office.refresh()
    await office.writeRevocationList()
    return office
  }

  /** Takes in what another coordinator has issued and revoked. @returns how many certificates are revoked that were not before */
  refresh(): Promise<number> {
    return this.#inTurn(async () => {
      const before = this.#revoked.size
      for (const file of await readdir(join(this.#directory, 'certificates'))) {
        if (file.endsWith('.json')) await this.#read(file)
      }
      return this.#revoked.size - before
    })
  }

  /** Reads a file that has changed since it was read or written here. */
  async #read(file: string): Promise<void> {
    const path = join(this.#directory, 'certificates', file)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: undefined }))
    if (mtimeMs === undefined || this.#readAt.get(file) === mtimeMs) return
    this.#keep(file, await readSchemaFile(path, issuedSchema))
    this.#readAt.set(file, mtimeMs)
  }

  #keep(file: string, issued: Issued): void {
    this.#issued.set(file, issued)
    for (const { serialNumber, revokedAt } of issued) if (revokedAt) this.#revoked.add(serialNumber)
  }

  isRevoked(serialNumber: string): boolean {
    return this.#revoked.has(serialNumber)
  }

  issue(identity: Identity, signingRequest: Uint8Array): Promise<IssuedCertificate> {
    return this.#inTurn(async () => {
      await this.#read(fileOf(identity))
      if (this.#unexpired(fileOf(identity)).filter(({ revokedAt }) => !revokedAt).length >= CERTIFICATES_MAX) {
        throw new WireError(
          'too-many-certificates',
          `${identity.name} has ${CERTIFICATES_MAX} certificates that have not expired: use one of them, or ask the venue to revoke them.`,
        )
      }
      const certificatePem = await issueFromRequest(this.#authority, signingRequest, identity, this.#lifetimeMs)
      const { notAfter } = certificateTimes(certificatePem)
      const entry = { serialNumber: serialNumberOf(certificatePem), expiresAt: notAfter.toISOString() }
      await this.#write(fileOf(identity), [...this.#unexpired(fileOf(identity)), entry])
      return { certificatePem, authorityPem: this.#authority.certificatePem }
    })
  }

  /** Revokes every certificate of an identity, and publishes that. Durable when it resolves. @returns how many they were */
  revoke(identity: Pick<Identity, 'role' | 'name'>): Promise<number> {
    return this.#inTurn(async () => {
      await this.#read(fileOf(identity))
      const revokedAt = this.#now().toISOString()
      const issued = this.#unexpired(fileOf(identity))
      if (issued.length > 0) {
        await this.#write(
          fileOf(identity),
          issued.map((entry) => ({ revokedAt, ...entry })),
        )
      }
      await this.#writeList()
      return issued.length
    })
  }

  /** Signs the list of revoked certificates anew: `revoked.crl.pem`, for load balancers and other verifiers. */
  writeRevocationList(): Promise<void> {
    return this.#inTurn(() => this.#writeList())
  }

  async #writeList(): Promise<void> {
    const revoked = [...this.#issued.keys()]
      .flatMap((file) => this.#unexpired(file))
      .flatMap(({ serialNumber, revokedAt }) => (revokedAt ? [{ serialNumber, revokedAt: new Date(revokedAt) }] : []))
    const nextUpdate = new Date(this.#now().getTime() + LIST_LIFETIME_MS)
    const list = await createRevocationList(this.#authority, revoked, nextUpdate)
    await writeWholeFile(join(this.#directory, REVOCATION_LIST), list)
  }

  #unexpired(file: string): Issued {
    const now = this.#now()
    return (this.#issued.get(file) ?? []).filter(({ expiresAt }) => new Date(expiresAt) > now)
  }

  async #write(file: string, issued: Issued): Promise<void> {
    const path = join(this.#directory, 'certificates', file)
    await writeSecretFile(path, `${JSON.stringify(issued, null, 2)}\n`)
    this.#keep(file, issued)
  }

  /** One change of the files at a time. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(act)
    this.#queue = turn.catch(() => undefined)
    return turn
  }
}

function fileOf({ role, name }: Pick<Identity, 'role' | 'name'>): string {
  return `${role}-${name}.json`
}
