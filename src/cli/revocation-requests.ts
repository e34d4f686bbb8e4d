import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { identityField, instantField } from '../protocol/statement.ts'
import { readSchemaFile, writeSecretFile } from './files.ts'

/*
 * An operator's revocation is a file in the venue's directory, which the coordinator looks for every other second. The
 * registry is in the coordinator's database, and that belongs to the running process; a file needs no port that would have
 * to be guarded (whoever may write there has the venue's keys anyway), waits for a coordinator that is down, and is done
 * once however often it is found.
 */

const revocationRequestSchema = z.strictObject({
  role: z.enum(['holder', 'researcher']),
  name: identityField,
  reason: z.string().min(1).max(500),
  requestedAt: instantField,
  state: z.enum(['requested', 'done', 'refused']),
  /** What came of it, for the operator. */
  outcome: z.string().optional(),
})

export type RevocationRequest = z.output<typeof revocationRequestSchema>

const folderOf = (venueDirectory: string) => join(venueDirectory, 'revocations')
const pathOf = (venueDirectory: string, { role, name }: Pick<RevocationRequest, 'role' | 'name'>) =>
  join(folderOf(venueDirectory), `${role}-${name}.json`)

const POLL_MS = 1000

/** Asks the coordinator to revoke. Durable when it resolves. */
export async function requestRevocation(
  venueDirectory: string,
  { role, name, reason }: Pick<RevocationRequest, 'role' | 'name' | 'reason'>,
): Promise<void> {
  const request = { role, name, reason, requestedAt: new Date().toISOString(), state: 'requested' as const }
  await writeRequest(venueDirectory, request)
}

async function writeRequest(venueDirectory: string, request: RevocationRequest): Promise<void> {
  await writeSecretFile(pathOf(venueDirectory, request), `${JSON.stringify(request, null, 2)}\n`)
}

/** What the coordinator made of a request; undefined when it did not come to it within `patienceMs`. */
export async function awaitRevocation(
  venueDirectory: string,
  party: Pick<RevocationRequest, 'role' | 'name'>,
  patienceMs: number,
): Promise<RevocationRequest | undefined> {
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += POLL_MS / 4) {
    const request = await readSchemaFile(pathOf(venueDirectory, party), revocationRequestSchema)
    if (request.state !== 'requested') return request
    await sleep(POLL_MS / 4)
  }
  return undefined
}

/** Does what a request asks for. @returns the outcome; throws when it is to be tried again later */
export type Revoke = (request: RevocationRequest) => Promise<Pick<RevocationRequest, 'state' | 'outcome'>>

/**
 * Takes requests in until the signal fires, those first that waited for the coordinator to start. One that cannot be read or
 * done is tried again each time, and told of once.
 */
export async function watchRevocations(
  venueDirectory: string,
  revoke: Revoke,
  onFault: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const told = new Set<string>()
  while (!signal.aborted) {
    for (const file of await listRequests(venueDirectory)) {
      try {
        await takeRevocation(venueDirectory, file, revoke)
        told.delete(file)
      } catch (error) {
        if (!told.has(file)) onFault(error)
        told.add(file)
      }
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
}

/** A directory that cannot be read holds nothing to do for now. */
async function listRequests(venueDirectory: string): Promise<string[]> {
  const files = await readdir(folderOf(venueDirectory)).catch(() => [])
  return files.filter((file) => file.endsWith('.json')).sort()
}

async function takeRevocation(venueDirectory: string, file: string, revoke: Revoke): Promise<void> {
  const request = await readSchemaFile(join(folderOf(venueDirectory), file), revocationRequestSchema)
  if (request.state !== 'requested') return
  await writeRequest(venueDirectory, { ...request, ...(await revoke(request)) })
}
