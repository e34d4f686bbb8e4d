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
    put: (...pieces) => putArtifact(files, directory, pieces),
    get: (digest) => getArtifact(directory, digest),
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
  if (!isDigest(digest)) {
    throw new StoreError(
      'invalid-value',
      'An artifact is asked for by its SHA-256 digest: 64 lowercase hex characters.',
    )
  }
  const bytes = await readFile(join(directory, digest)).catch((cause) => {
    if (cause.code === 'ENOENT') {
      throw new StoreError('not-found', `There is no artifact ${digest} in ${directory}: put it first.`)
    }
    throw fileError(cause, `Reading the artifact ${digest} in ${directory}`)
  })
  if (digestOf(bytes) !== digest) {
    throw new StoreError('corrupt', `The artifact ${digest} in ${directory} is damaged: restore it from a copy.`)
  }
  return bytes
}
