import { randomBytes } from 'node:crypto'
import { openBlobStore } from '../../store/open-blob-store.ts'
import { type Diagnosis, failing, well } from './diagnosis.ts'

const CHECK = 'blobs'
const SAMPLE_BYTES = 64 * 1024

/**
 * Whether the blobs that the configuration names can be written, read, listed and deleted.
 * @param url of a bucket or a directory; the state directory, which has a check of its own, has none
 * @throws StoreError
 */
export async function checkBlobs(url: string, stateDirectory: string): Promise<Diagnosis> {
  const blobs = await openBlobStore(url, stateDirectory)
  const prefix = `doctor/${randomBytes(8).toString('hex')}`
  const key = `${prefix}/sample`
  const sample = randomBytes(SAMPLE_BYTES)
  const started = performance.now()
  await blobs.put(key, sample)
  try {
    const read = await blobs.get(key, { offset: 1, bytes: SAMPLE_BYTES - 1 })
    const listed = await blobs.list(prefix)
    if (Buffer.compare(read, sample.subarray(1)) !== 0 || listed.join() !== key) {
      return failing(CHECK, 'what was written does not come back', 'Check the server behind the URL of the blobs.')
    }
  } finally {
    await blobs.delete(prefix)
  }
  const ms = performance.now() - started
  return well(CHECK, `written, read, listed and deleted in ${ms.toFixed(0)} ms`)
}
