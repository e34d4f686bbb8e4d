import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { EMPTY_ROOT, equalBytes, HASH_BYTES, nodeHash } from './merkle-hash.ts'

/** The size of a tree and its root: all that a proof is checked against. */
export interface TreeHead {
  /** Number of entries, 0…2^53 − 1. */
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
}

/** Hashes in the longest proof of a tree of 2^63 entries; the limit of tlog-witness. */
export const PROOF_HASHES_MAX = 63

/**
 * Whether the entry with this leaf hash is at `index` of the tree (RFC 9162 §2.1.3.2).
 * Refusals: `proof-length` when no proof for this index and size has this form; `root-mismatch` when the proof is of
 * another entry, another index or another tree.
 */
export function verifyInclusion(
  head: TreeHead,
  index: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
): Verdict<void, 'proof-length' | 'root-mismatch'> {
  const wellFormed = isSize(head.size) && isSize(index) && index < head.size && isHash(leaf) && proof.every(isHash)
  if (!wellFormed) return wrongLength('inclusion')
  let [position, last, root] = [index, head.size - 1, leaf]
  for (const sibling of proof) {
    if (last === 0) return wrongLength('inclusion')
    if (isOdd(position) || position === last) {
      root = nodeHash(sibling, root)
      // A last node without a sibling rises unhashed until it is a right child.
      while (!isOdd(position) && position > 0) [position, last] = [half(position), half(last)]
    } else {
      root = nodeHash(root, sibling)
    }
    ;[position, last] = [half(position), half(last)]
  }
  if (last !== 0) return wrongLength('inclusion')
  if (equalBytes(root, head.root)) return accepted(undefined)
  return refused('root-mismatch', `The entry is not at ${index} of the tree of ${head.size}: do not rely on it.`)
}

/**
 * Whether the old tree is a prefix of the new one (RFC 9162 §2.1.4.2); an old tree of size 0 is of any, with an empty
 * proof.
 *
 * Refusals: `proof-length`; `root-mismatch` when the proof does not belong to the new tree, which says nothing about the
 * log, because anyone can send such bytes; `old-root-mismatch` when it does belong to the new tree *and* shows there
 * another prefix than the old tree. The last is a proof that whoever signed both heads forked the log: the hashes that
 * fold to the new root are nodes of the new tree, and no one without the signer's key makes that root.
 */
export function verifyConsistency(
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
): Verdict<void, 'proof-length' | 'root-mismatch' | 'old-root-mismatch'> {
  const wellFormed = isSize(older.size) && isSize(newer.size) && older.size <= newer.size && proof.every(isHash)
  if (!wellFormed || proof.length > PROOF_HASHES_MAX) return wrongLength('consistency')
  if (older.size === newer.size || older.size === 0) return verifyTrivially(older, newer, proof)

  // RFC 9162 §2.1.4.2 step 3: for a complete old tree its root is the first node, and it is not sent.
  let [position, last] = [older.size - 1, newer.size - 1]
  while (isOdd(position)) [position, last] = [half(position), half(last)]
  const [first, ...rest] = position === 0 ? [older.root, ...proof] : proof
  if (!first) return wrongLength('consistency')
  let [oldRoot, newRoot] = [first, first]
  for (const sibling of rest) {
    if (last === 0) return wrongLength('consistency')
    if (isOdd(position) || position === last) {
      oldRoot = nodeHash(sibling, oldRoot)
      newRoot = nodeHash(sibling, newRoot)
      while (!isOdd(position) && position > 0) [position, last] = [half(position), half(last)]
    } else {
      newRoot = nodeHash(newRoot, sibling)
    }
    ;[position, last] = [half(position), half(last)]
  }
  if (last !== 0) return wrongLength('consistency')
  if (!equalBytes(newRoot, newer.root)) return notOfThisTree(older, newer)
  return equalBytes(oldRoot, older.root) ? accepted(undefined) : otherHistory(older, newer)
}

function verifyTrivially(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]) {
  if (proof.length > 0) return wrongLength('consistency')
  if (older.size === 0 && !equalBytes(older.root, EMPTY_ROOT)) return otherHistory(older, newer)
  if (newer.size === older.size && !equalBytes(older.root, newer.root)) return otherHistory(older, newer)
  return accepted(undefined)
}

function wrongLength(kind: string): Verdict<never, 'proof-length'> {
  return refused('proof-length', `The ${kind} proof has not the form that these sizes need: ask for a new one.`)
}

function notOfThisTree(older: TreeHead, newer: TreeHead): Verdict<never, 'root-mismatch'> {
  return refused(
    'root-mismatch',
    `The proof does not lead from size ${older.size} to the root at ${newer.size}: ask for a new one.`,
  )
}

function otherHistory(older: TreeHead, newer: TreeHead): Verdict<never, 'old-root-mismatch'> {
  return refused(
    'old-root-mismatch',
    `The tree of ${newer.size} does not continue the tree of ${older.size}: the log was forked; keep both checkpoints.`,
  )
}

const half = (n: number) => Math.floor(n / 2)
const isOdd = (n: number) => n % 2 === 1
const isSize = (n: number) => Number.isSafeInteger(n) && n >= 0
const isHash = (bytes: Uint8Array) => bytes.length === HASH_BYTES
