import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { type Digest, digestOf, fromHex } from '../../src/crypto/digest.ts'
import { type Registry, registryHead } from '../../src/protocol/registry.ts'
import type { RegistryChange } from '../../src/protocol/registry-request.ts'
import { memberSchema } from '../../src/protocol/round-plan.ts'
import { digestField, identityField } from '../../src/protocol/statement.ts'
import { HolderError } from './holder-error.ts'

/*
 * What the operator of a holder sees of the venue's registry, as files in the holder's directory: its journal belongs to the
 * running node. Nothing but approvals is read back.
 *
 *   registry.json               the members as this node has verified them
 *   admissions/NAME.json        what the node was asked to approve, and has not
 *   admissions/approved/NAME.json  what the operator approved
 */

/** A change of the registry that waits for this holder's operator. */
export const pendingRequestSchema = z.strictObject({
  change: z.enum(['admission', 'new-keys', 'revocation']),
  holder: identityField,
  organisation: z.string(),
  /** SHA-256 of the keys, to be compared with what the holder itself says they are. */
  statementKeyFingerprint: digestField,
  boxKeyFingerprint: digestField,
  /** Of a revocation, in the coordinator's words. */
  reason: z.string().optional(),
  /** Digest of the application or departure. An approval names it, so that it is of no use to other keys under this name. */
  request: digestField,
})

export type PendingRequest = z.output<typeof pendingRequestSchema>

const approvalSchema = z.strictObject({ request: digestField })

const registryFileSchema = z.strictObject({
  venue: z.string(),
  sequence: z.int(),
  head: digestField,
  members: z.array(memberSchema),
})

export type RegistryFile = z.output<typeof registryFileSchema>

/** More than an operator would read; a coordinator that makes names up does not fill the disk. */
const PENDING_MAX = 500

const folderOf = (directory: string) => join(directory, 'admissions')
const pendingPath = (directory: string, holder: string) => join(folderOf(directory), `${holder}.json`)
const approvalPath = (directory: string, holder: string) => join(folderOf(directory), 'approved', `${holder}.json`)

/** Writes down what the operator is to decide; the latest request about a name takes the place of earlier ones. */
export function notePendingRequest(directory: string, change: RegistryChange, request: Digest): void {
  const { holder, organisation, statementKey, boxKey } = change.member
  const others = listFiles(folderOf(directory)).filter((name) => name !== `${holder}.json`)
  if (others.length >= PENDING_MAX) return
  const pending: PendingRequest = {
    change: change.kind === 'revocation' ? 'revocation' : change.replaces ? 'new-keys' : 'admission',
    holder,
    organisation,
    statementKeyFingerprint: keyFingerprint(statementKey),
    boxKeyFingerprint: keyFingerprint(boxKey),
    ...(change.kind === 'revocation' && { reason: change.reason }),
    request,
  }
  writeJson(pendingPath(directory, holder), pending)
}

/** SHA-256 of a public key's 32 bytes. */
export function keyFingerprint(publicKey: string): Digest {
  return digestOf(fromHex(publicKey))
}

/** By name. Files that are no requests are left out: nothing depends on them. */
export function listPendingRequests(directory: string): PendingRequest[] {
  return listFiles(folderOf(directory))
    .sort()
    .flatMap((name) => readJson(join(folderOf(directory), name), pendingRequestSchema) ?? [])
}

/**
 * Approves a pending request.
 * @param fingerprint the first digits of the request's digest, 16 at least, as the operator has compared them
 * @throws HolderError `request-unknown` when none of this name with this fingerprint is pending
 */
export function approvePendingRequest(directory: string, holder: string, fingerprint: string): PendingRequest {
  const pending = identityField.safeParse(holder).success
    ? readJson(pendingPath(directory, holder), pendingRequestSchema)
    : undefined
  if (!pending || !/^[0-9a-f]{16,64}$/.test(fingerprint) || !pending.request.startsWith(fingerprint)) {
    throw new HolderError(
      'request-unknown',
      `No request of ${holder.slice(0, 63)} with this fingerprint is pending: compare with "sluice holder members".`,
    )
  }
  writeJson(approvalPath(directory, holder), { request: pending.request })
  rmSync(pendingPath(directory, holder))
  return pending
}

export function isApproved(directory: string, holder: string, request: Digest): boolean {
  return readJson(approvalPath(directory, holder), approvalSchema)?.request === request
}

/** Clears what was pending or approved about a holder: it is decided. */
export function forgetRequest(directory: string, holder: string): void {
  rmSync(pendingPath(directory, holder), { force: true })
  rmSync(approvalPath(directory, holder), { force: true })
}

/** Shows the operator who the members are. */
export function writeRegistryFile(directory: string, registry: Registry): void {
  const { venue, sequence, members } = registry
  const file: RegistryFile = { venue, sequence, head: registryHead(registry), members: [...members.values()] }
  writeJson(join(directory, 'registry.json'), file)
}

/** undefined before the node has seen a registry. */
export function readRegistryFile(directory: string): RegistryFile | undefined {
  return readJson(join(directory, 'registry.json'), registryFileSchema)
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'))
  } catch {
    return []
  }
}

function readJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

/** Readers see the old file or the new one. */
function writeJson(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.part`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.part`, path)
}
