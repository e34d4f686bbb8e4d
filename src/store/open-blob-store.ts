import type { BlobStore } from '../coordinator/ports.ts'
import { parseBlobsUrl } from './blobs-url.ts'
import { openDirectoryBlobStore } from './directory-blob-store.ts'

/**
 * Opens the blobs of a coordinator.
 * @param url of a bucket or of a directory; the state directory unless told
 * @throws StoreError `bad-blobs-url`, `blobs-unreachable`, `blobs-refused`, `directory-unusable`, `disk-full`
 */
export async function openBlobStore(url: string | undefined, stateDirectory: string): Promise<BlobStore> {
  if (url === undefined) return openDirectoryBlobStore(stateDirectory)
  const location = parseBlobsUrl(url)
  if (location.kind === 'directory') return openDirectoryBlobStore(location.path)
  const { openS3BlobStore } = await import('./s3-blob-store.ts')
  return openS3BlobStore(location)
}
