import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArtifactStore } from '../coordinator/ports.ts'
import { type Digest, digestOf, isDigest } from '../crypto/digest.ts'
import { PendingFile, preparePending } from './pending-file.ts'
import { fileError, StoreError } from './store-error.ts'
import { systemFileSystem, type WritingFileSystem } from './writing-file-system.ts'

/**
 * Artifacts as files of a directory, named by their digests; readable by the coordinator's user only. Durable against
 * power failure when `put` resolves (fsync of file and directory). One process a directory: opening removes what an
 * earlier one left unfinished.
 *
 * @throws StoreError `directory-unusable`, `disk-full`, `io-failed`; from `get` also `not-found`, `corrupt`, and
 * `invalid-value` for what is no digest.
 */
export async function openArtifactStore(
  directory: string,
  files: WritingFileSystem = systemFileSystem,
): Promise<ArtifactStore> {
  try {
    await preparePending(files, directory)
  } catch (cause) {
    throw fileError(cause, `Opening the artifact directory ${directory}`)
  }
  return {
    put: (bytes) => putArtifact(files, directory, bytes instanceof Uint8Array ? [bytes] : bytes),
    get: (digest) => getArtifact(directory, digest),
    read: (digest, offset) => readArtifact(directory, digest, offset),
  }
}

/** Writes anew what is there already: that heals a damaged file, and one whose name an earlier crash left unsynced. */
async function putArtifact(
  files: WritingFileSystem,
  directory: string,
  pieces: readonly Uint8Array[],
): Promise<Digest> {
  const digest = digestOf(...pieces)
  let pending: PendingFile | undefined
  try {
    pending = await PendingFile.create(files, directory)
    for (const piece of pieces) await pending.write(piece)
    await pending.publish(join(directory, digest))
    return digest
  } catch (cause) {
    await pending?.discard()
    throw fileError(cause, `Storing the artifact ${digest} in ${directory}`)
  }
}

async function getArtifact(directory: string, digest: Digest): Promise<Uint8Array> {
  const bytes = await readFile(artifactPath(directory, digest)).catch((cause) => {
    throw readError(cause, directory, digest)
  })
  if (digestOf(bytes) !== digest) {
    throw new StoreError('corrupt', `The artifact ${digest} in ${directory} is damaged: restore it from a copy.`)
  }
  return bytes
}

const PIECE_BYTES = 256 * 1024

async function* readArtifact(directory: string, digest: Digest, offset: number): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(artifactPath(directory, digest), { start: offset, highWaterMark: PIECE_BYTES })
  try {
    yield* stream
  } catch (cause) {
    throw readError(cause as NodeJS.ErrnoException, directory, digest)
  }
}

function artifactPath(directory: string, digest: Digest): string {
  if (isDigest(digest)) return join(directory, digest)
  throw new StoreError('invalid-value', 'An artifact is asked for by its SHA-256 digest: 64 lowercase hex characters.')
}

function readError(cause: NodeJS.ErrnoException, directory: string, digest: Digest): StoreError {
  return cause.code === 'ENOENT'
    ? new StoreError('not-found', `There is no artifact ${digest} in ${directory}: put it first.`)
    : fileError(cause, `Reading the artifact ${digest} in ${directory}`)
}
