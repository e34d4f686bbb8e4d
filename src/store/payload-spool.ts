import { join } from 'node:path'
import type { PayloadSpool, SpoolWriter } from '../coordinator/ports.ts'
import { type Digest, isDigest } from '../crypto/digest.ts'
import { identityField } from '../protocol/statement.ts'
import { PayloadChecksums, readPayloadFile } from './payload-file.ts'
import { PendingFile, preparePending } from './pending-file.ts'
import { fileError, StoreError } from './store-error.ts'
import { systemFileSystem, type WritingFileSystem } from './writing-file-system.ts'

/**
 * Ciphertexts as files `rounds/<plan digest>/<holder>` of a directory; readable by the coordinator's user only. Durable
 * against power failure at `commit` (fsync of file and directory). One process a directory: opening removes uploads that
 * an earlier one left uncommitted.
 *
 * @throws StoreError `directory-unusable`, `disk-full`, `io-failed`; `invalid-value` for what is no plan digest or no
 * holder's identity, before any path is made of it; from `commit` also `not-found` when the round was discarded
 * meanwhile, `conflict` after an error; from `read` also `not-found`, `corrupt`.
 */
export async function openPayloadSpool(
  directory: string,
  files: WritingFileSystem = systemFileSystem,
): Promise<PayloadSpool> {
  try {
    await preparePending(files, directory)
    await files.makeDirectory(roundsDirectory(directory))
    await files.syncDirectory(directory)
  } catch (cause) {
    throw fileError(cause, `Opening the spool directory ${directory}`)
  }
  return {
    begin: (planDigest, holder) => beginPayload(files, directory, planDigest, holder),
    read: (planDigest, holder, offset, bytes) => readPayload(directory, planDigest, holder, offset, bytes),
    discard: async (planDigest) => {
      const round = roundDirectory(directory, planDigest)
      await files.remove(round).catch((cause) => {
        throw fileError(cause, `Discarding ${round}`)
      })
    },
  }
}

function roundsDirectory(directory: string): string {
  return join(directory, 'rounds')
}

function roundDirectory(directory: string, planDigest: Digest): string {
  if (!isDigest(planDigest)) {
    throw new StoreError('invalid-value', 'A round is named by the digest of its plan: 64 lowercase hex characters.')
  }
  return join(roundsDirectory(directory), planDigest)
}

/** An identity has no separator and does not begin with a dot: it cannot lead out of the directory of its round. */
function payloadPath(directory: string, planDigest: Digest, holder: string): string {
  const name = identityField.safeParse(holder)
  if (!name.success) throw new StoreError('invalid-value', `The holder's name is ${name.error.issues[0].message}.`)
  return join(roundDirectory(directory, planDigest), name.data)
}

async function beginPayload(
  files: WritingFileSystem,
  directory: string,
  planDigest: Digest,
  holder: string,
): Promise<SpoolWriter> {
  const path = payloadPath(directory, planDigest, holder)
  try {
    // Here and not at commit, so that an upload that outlives its round does not bring the round's directory back.
    await files.makeDirectory(roundDirectory(directory, planDigest))
    await files.syncDirectory(roundsDirectory(directory))
    return new FileSpoolWriter(await PendingFile.create(files, directory), path)
  } catch (cause) {
    throw fileError(cause, `Beginning the payload ${path}`)
  }
}

async function readPayload(directory: string, planDigest: Digest, holder: string, offset: number, bytes: number) {
  const path = payloadPath(directory, planDigest, holder)
  try {
    return await readPayloadFile(path, offset, bytes)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new StoreError('not-found', `There is no payload ${path}: the holder has to upload it.`, { cause })
    }
    throw fileError(cause, `Reading the payload ${path}`)
  }
}

/** Holds checksums of what has passed, and no bytes. */
class FileSpoolWriter implements SpoolWriter {
  readonly #pending: PendingFile
  readonly #path: string
  readonly #checksums = new PayloadChecksums()
  #state: 'open' | 'failed' | 'committed' | 'aborted' = 'open'

  constructor(pending: PendingFile, path: string) {
    this.#pending = pending
    this.#path = path
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#requireOpen()
    try {
      this.#checksums.update(chunk)
      await this.#pending.write(chunk)
    } catch (cause) {
      throw this.#fail(cause, `Writing the payload ${this.#path}`)
    }
  }

  async commit(): Promise<void> {
    if (this.#state === 'committed') return
    this.#requireOpen()
    try {
      await this.#pending.write(this.#checksums.footer())
      await this.#pending.publish(this.#path)
      this.#state = 'committed'
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
        this.#state = 'failed'
        throw new StoreError('not-found', `The round of ${this.#path} is over: its payloads are discarded.`, { cause })
      }
      throw this.#fail(cause, `Committing the payload ${this.#path}`)
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'committed' || this.#state === 'aborted') return
    this.#state = 'aborted'
    await this.#pending.discard()
  }

  #requireOpen(): void {
    if (this.#state === 'open') return
    throw new StoreError('conflict', `The upload of ${this.#path} is ${this.#state}: begin it again.`)
  }

  #fail(cause: unknown, doing: string): StoreError {
    this.#state = 'failed'
    return fileError(cause, doing)
  }
}
