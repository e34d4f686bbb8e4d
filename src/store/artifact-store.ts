import { createHash } from 'node:crypto'
import type { ArtifactStore, BlobStore } from '../coordinator/ports.ts'
import { type Digest, digestOf, isDigest } from '../crypto/digest.ts'
import { StoreError } from './store-error.ts'

const PREFIX = 'artifacts'

type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/**
 * Artifacts as blobs `artifacts/<digest>`.
 * @throws StoreError those of the blobs; from `get` also `not-found`, `corrupt`, and `invalid-value` for what is no digest
 */
export function artifactStoreOver(blobs: BlobStore): ArtifactStore {
  return { put: (bytes) => putArtifact(blobs, bytes), get: (digest) => getArtifact(blobs, digest) }
}

/** Writes anew what is there already: that heals a damaged blob. */
async function putArtifact(blobs: BlobStore, bytes: Uint8Array | Pieces): Promise<Digest> {
  if (bytes instanceof Uint8Array) {
    const digest = digestOf(bytes)
    await blobs.put(`${PREFIX}/${digest}`, bytes)
    return digest
  }
  const digest = await digestOfPieces(bytes)
  await blobs.put(`${PREFIX}/${digest}`, checked(bytes, digest))
  return digest
}

async function digestOfPieces(pieces: Pieces): Promise<Digest> {
  const hash = createHash('sha256')
  for await (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

/** The pieces once more; throws at their end when they were others than the first time. */
async function* checked(pieces: Pieces, digest: Digest): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const piece of pieces) {
    hash.update(piece)
    yield piece
  }
  if (hash.digest('hex') !== digest) {
    throw new StoreError(
      'invalid-value',
      'Give an artifact in pieces that are the same whenever they are gone through.',
    )
  }
}

async function getArtifact(blobs: BlobStore, digest: Digest): Promise<Uint8Array> {
  if (!isDigest(digest)) {
    throw new StoreError(
      'invalid-value',
      'An artifact is asked for by its SHA-256 digest: 64 lowercase hex characters.',
    )
  }
  const bytes = await blobs.get(`${PREFIX}/${digest}`)
  if (digestOf(bytes) !== digest) {
    throw new StoreError('corrupt', `The artifact ${digest} is damaged: restore it from a copy.`)
  }
  return bytes
}
