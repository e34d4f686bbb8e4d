import { SluiceError } from '../sluice-error.ts'
import type { Checkpoint } from './checkpoint.ts'
import { type Cosigner, openCosignedCheckpoint, type WitnessPolicy } from './cosignature.ts'
import { decodeEntries } from './entry-bundle.ts'
import { LogError, type LogErrorCode } from './log-error.ts'
import { equalBytes, leafHash } from './merkle-hash.ts'
import { parseNote } from './note.ts'
import { TILE_WIDTH, tileInTree, tilePath } from './tile-path.ts'
import { type LogReader, readHashes, readTileOrFull } from './tile-reader.ts'
import { EMPTY_EDGE, edgeRoot, extendEdge, type HashTile, type TreeEdge } from './tree-edge.ts'
import type { TreeHead } from './verify-proof.ts'

/** What an audit checks beyond the log itself. */
export interface AuditOptions {
  /** Heads that the auditor kept from earlier: the log must have each as a prefix. */
  readonly earlier?: readonly TreeHead[]
  /**
   * Looks at an entry whose place in the tree is not yet confirmed; a reason to refuse it, or undefined. Entries come in
   * order, once each, `position` from 0.
   */
  readonly checkEntry?: (position: number, entry: Uint8Array) => string | undefined | Promise<string | undefined>
}

/** The first thing that is wrong with a log. */
export interface LogFault {
  readonly code: LogErrorCode | 'checkpoint-missing' | 'entry-refused' | 'tile-mismatch'
  /** `checkpoint`, or the path of the resource. */
  readonly resource: string
  /** Position of the entry, where one is to be named; counts from 0. */
  readonly position?: number
  readonly reason: string
}

export type LogAudit =
  | { readonly ok: true; readonly checkpoint: Checkpoint; readonly cosigners: readonly Cosigner[] }
  | { readonly ok: false; readonly fault: LogFault }

/**
 * Audits a whole log from its static resources: the checkpoint's signature and cosignatures, every entry, every hash tile
 * (recomputed from the entries), the root, and the heads that the auditor knew before.
 * Holds one bundle and the right edge of the tree in memory, whatever the log's size.
 *
 * What the log gets wrong is in the answer; what the reader throws that is not a `LogError` passes through.
 * @throws LogError `bad-witness-set`
 */
export async function verifyLog(
  reader: LogReader,
  policy: WitnessPolicy,
  options: AuditOptions = {},
): Promise<LogAudit> {
  try {
    const { checkpoint, cosigners } = await readCosignedCheckpoint(reader, policy)
    const edge = await recomputeTree(reader, checkpoint.size, options)
    requireRoot(edge, checkpoint, 'root-mismatch', 'the signed root')
    return { ok: true, checkpoint, cosigners }
  } catch (cause) {
    if (cause instanceof AuditStop) return { ok: false, fault: cause.fault }
    throw cause
  }
}

/** Carries the first fault out of the walk; never leaves this file. */
class AuditStop extends SluiceError<LogFault['code']> {
  readonly fault: LogFault

  constructor(fault: LogFault) {
    super(fault.code, fault.reason)
    this.fault = fault
  }
}

async function readCosignedCheckpoint(reader: LogReader, policy: WitnessPolicy) {
  const resource = 'checkpoint'
  const note = await reader.readCheckpoint()
  if (note === undefined) {
    throw new AuditStop({ code: 'checkpoint-missing', resource, reason: 'There is no checkpoint: this is not a log.' })
  }
  const parsed = await naming(resource, () => parseNote(note))
  const opened = await naming(resource, () => openCosignedCheckpoint(parsed, policy))
  if (!opened.ok) throw new AuditStop({ code: opened.code, resource, reason: opened.reason })
  return opened.value
}

/** The edge of the tree of these many entries, every tile of it compared on the way. */
async function recomputeTree(reader: LogReader, size: number, options: AuditOptions): Promise<TreeEdge> {
  const earlier = (options.earlier ?? []).toSorted((a, b) => a.size - b.size)
  const beyond = earlier.find((head) => head.size > size)
  if (beyond) {
    const reason = `A tree of size ${beyond.size} was seen before, this one has ${size}: the log was rolled back.`
    throw new AuditStop({ code: 'old-root-mismatch', resource: 'checkpoint', reason })
  }
  let edge = EMPTY_EDGE
  const requireEarlier = (at: TreeEdge) => {
    for (const head of earlier)
      if (head.size === at.size) requireRoot(at, head, 'old-root-mismatch', 'the root seen before')
  }
  requireEarlier(edge)
  while (edge.size < size) {
    const leaves = await readLeaves(reader, edge.size, size, options)
    const start = edge
    for (const head of earlier.filter((each) => each.size > start.size && each.size < start.size + leaves.length)) {
      requireEarlier(extendEdge(start, leaves.slice(0, head.size - start.size)).edge)
    }
    const { edge: next, tiles } = extendEdge(start, leaves)
    for (const tile of tiles) if (isFinal(tile, size)) await requireTile(reader, tile)
    edge = next
    requireEarlier(edge)
  }
  return edge
}

/** The leaf hashes of the bundle that begins at `start`. */
async function readLeaves(reader: LogReader, start: number, size: number, { checkEntry }: AuditOptions) {
  const address = tileInTree('entries', start / TILE_WIDTH, size)!
  const resource = tilePath(address)
  const entries = await naming(resource, async () => {
    const { bytes, width } = await readTileOrFull(reader, address)
    return decodeEntries(bytes, width).slice(0, address.width)
  })
  for (const [i, entry] of entries.entries()) {
    const reason = await checkEntry?.(start + i, entry)
    if (reason !== undefined) throw new AuditStop({ code: 'entry-refused', resource, position: start + i, reason })
  }
  return entries.map(leafHash)
}

/** Whether this is the tile as the whole tree has it, and not one that later entries fill further. */
function isFinal({ level, index, width }: HashTile, size: number): boolean {
  return tileInTree(level, index, size)?.width === width
}

async function requireTile(reader: LogReader, tile: HashTile): Promise<void> {
  const resource = tilePath(tile)
  const stored = await naming(resource, () => readHashes(reader, tile))
  const wrong = tile.hashes.findIndex((hash, i) => !equalBytes(hash, stored[i]))
  if (wrong < 0) return
  const entriesBelow = TILE_WIDTH ** Number(tile.level)
  throw new AuditStop({
    code: 'tile-mismatch',
    resource,
    position: (tile.index * TILE_WIDTH + wrong) * entriesBelow,
    reason: `Hash ${wrong} of ${resource} is not that of the entries below it: the tile or an entry was changed.`,
  })
}

function requireRoot(edge: TreeEdge, head: TreeHead, code: LogErrorCode, what: string): void {
  if (equalBytes(edgeRoot(edge), head.root)) return
  const reason = `The ${head.size} entries do not hash to ${what}: keep the checkpoint, the log has rewritten its past.`
  throw new AuditStop({ code, resource: 'checkpoint', reason })
}

/** Runs a step whose `LogError` is the fault of this resource. A policy that cannot be met is the caller's. */
async function naming<T>(resource: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (cause) {
    if (!(cause instanceof LogError) || cause.code === 'bad-witness-set') throw cause
    throw new AuditStop({ code: cause.code, resource, reason: cause.message })
  }
}
