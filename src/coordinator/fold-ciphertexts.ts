import { randomUUID } from 'node:crypto'
import type { Digest } from '../crypto/digest.ts'
import { chunkGeometry } from '../crypto/payload-parameters.ts'
import { type CoordinatorRound, manifestOf } from '../protocol/coordinator-round.ts'
import { planParameters } from '../protocol/round-plan.ts'
import { SluiceError } from '../sluice-error.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { CLAIM_MS, FoldChanges, foldClaimed, type SharedFolding } from './fold-claims.ts'
import { type FoldOrder, foldPart, partCountOf, partName } from './fold-part.ts'
import { PART_CHUNKS, SUM } from './ports.ts'

/**
 * Adds the sealed ciphertexts up and keeps their sum, packed as one ciphertext is: one of several parts together with whoever
 * else takes parts (docs/adr/0015). Needs no key, and is done before the contributors' hashes have a challenge, so that the sum
 * cannot be chosen after it (docs/adr/0011). What another life of the round has added up, or adds up meanwhile, stays: it is the
 * same sum.
 * @returns the digest of the sum, as that of a payload
 * @throws CryptoError, StoreError; CoordinatorError `round-abandoned` when the round is ended meanwhile; the signal's reason
 */
export async function foldCiphertexts(
  round: CoordinatorRound,
  parts: SharedFolding,
  signal: AbortSignal,
): Promise<Digest> {
  const order: FoldOrder = {
    planDigest: round.planDigest,
    parameters: planParameters(round.plan),
    contributors: manifestOf(round).contributions.map(({ holder }) => holder),
  }
  if (partCountOf(order.parameters) === 1) return foldPart(order, 0, parts, signal)
  const known = await parts.openings.stat(order.planDigest, SUM)
  if (known) return known.digest
  try {
    return await foldTogether(order, parts, signal)
  } catch (error) {
    const joined = mayBeOvertaken(error) ? await parts.openings.stat(order.planDigest, SUM) : undefined
    if (!joined) throw error
    return joined.digest
  }
}

/** What another life of the round leaves to find that has joined the parts first: no parts, no rows, or a sum that is whole. */
function mayBeOvertaken(error: unknown): boolean {
  return error instanceof SluiceError && ['not-found', 'conflict', 'round-abandoned'].includes(error.code)
}

/** Puts the parts up for everybody, takes some, and joins their sums in order as they come. */
async function foldTogether(order: FoldOrder, parts: SharedFolding, signal: AbortSignal): Promise<Digest> {
  await parts.store.addFoldParts(order.planDigest, partCountOf(order.parameters))
  const failed = new AbortController()
  const changes = new FoldChanges(parts.store)
  const sharing: Sharing = { order, parts, changes, signal: AbortSignal.any([signal, failed.signal]) }
  const failTogether = (error: unknown) => {
    failed.abort(error)
    throw error
  }
  try {
    const working = [takeParts(sharing).catch(failTogether), joinParts(sharing).catch(failTogether)] as const
    // The failure of one ends the other, which is waited for: nothing of the round is touched any more after this.
    await Promise.allSettled(working)
    const [, sum] = await Promise.all(working)
    return sum
  } finally {
    changes.stop()
  }
}

interface Sharing {
  readonly order: FoldOrder
  readonly parts: SharedFolding
  readonly changes: FoldChanges
  readonly signal: AbortSignal
}

/** Takes parts of the round until none is left to take, also those that a helper could not add up: a fault here is the round's. */
async function takeParts({ order, parts, changes, signal }: Sharing): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const next = changes.next
    const claim = await parts.store.claimFoldPart(randomUUID(), CLAIM_MS, order.planDigest)
    if (claim) {
      await foldClaimed(order, claim, parts, signal)
      continue
    }
    const rows = await listParts(order, parts)
    if (rows.every(({ digest }) => digest !== undefined)) return
    await changes.wait(next, signal)
  }
}

/** @throws CoordinatorError `round-abandoned` when there are none any more */
async function listParts({ planDigest }: FoldOrder, { store }: SharedFolding) {
  const rows = await store.listFoldParts(planDigest)
  if (rows.length > 0) return rows
  throw new CoordinatorError('round-abandoned', 'The round was ended while its ciphertexts were added up.')
}

/** Puts the parts' sums one behind the other. One that was joined in part by a dead process is gone on with. */
async function joinParts(sharing: Sharing): Promise<Digest> {
  const { planDigest, parameters } = sharing.order
  const { openings } = sharing.parts
  const writer = await openings.open(planDigest, SUM, parameters)
  try {
    for (let part = writer.resumed.chunks / PART_CHUNKS; part < partCountOf(parameters); part++) {
      await awaitPart(part, sharing)
      await appendPart(part, sharing, (chunk) => writer.append(chunk))
    }
    sharing.signal.throwIfAborted()
    const { digest } = await writer.commit()
    // Not before: whoever misses a part finds the sum.
    for (let part = 0; part < partCountOf(parameters); part++) {
      await openings.discard(planDigest, partName(parameters, part))
    }
    return digest
  } finally {
    await writer.close()
  }
}

async function awaitPart(part: number, { order, parts, changes, signal }: Sharing): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const next = changes.next
    const rows = await listParts(order, parts)
    if (rows[part]?.digest !== undefined) return
    await changes.wait(next, signal)
  }
}

async function appendPart(
  part: number,
  { order, parts, signal }: Sharing,
  append: (chunk: Uint8Array) => Promise<void>,
) {
  const { planDigest, parameters } = order
  const chunkBytes = chunkGeometry(parameters, 0).bytes
  const first = part * PART_CHUNKS
  const end = Math.min(first + PART_CHUNKS, parameters.chunkCount)
  for (let index = first; index < end; index++) {
    const { bytes } = chunkGeometry(parameters, index)
    signal.throwIfAborted()
    await append(await parts.openings.read(planDigest, partName(parameters, part), (index - first) * chunkBytes, bytes))
  }
}
