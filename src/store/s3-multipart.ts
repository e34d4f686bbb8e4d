import type { S3Place } from './s3-blob-store.ts'
import { s3Error } from './s3-error.ts'

/** Bytes of all parts of an upload but the last: more than the 5 MiB that S3 asks for; 10,000 parts make 80 GB. */
const PART_BYTES = 8 * 2 ** 20

/**
 * Stores an object whose length is not known, as a multipart upload; what fits in one part is put at once. Holds one part in memory.
 * The object appears when the upload is completed, and not at all when the iterable throws; what it throws passes through.
 * @throws StoreError
 */
export async function putInParts(place: S3Place, key: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const { s3, client, location } = place
  const about = { Bucket: location.bucket, Key: key }
  const request = <T>(send: () => Promise<T>) =>
    send().catch((fault) => {
      throw s3Error(fault, `Writing ${key} in the bucket ${location.bucket}`)
    })
  let upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined } | undefined
  const parts: { readonly PartNumber: number; readonly ETag: string | undefined }[] = []
  try {
    for await (const { part, isLast } of cut(bytes)) {
      if (isLast && !upload) {
        await request(() => client.send(new s3.PutObjectCommand({ ...about, Body: part })))
        return
      }
      upload ??= {
        ...about,
        UploadId: (await request(() => client.send(new s3.CreateMultipartUploadCommand(about)))).UploadId,
      }
      const numbered = { ...upload, PartNumber: parts.length + 1, Body: part }
      const { ETag } = await request(() => client.send(new s3.UploadPartCommand(numbered)))
      parts.push({ PartNumber: numbered.PartNumber, ETag })
    }
    const complete = { ...upload!, MultipartUpload: { Parts: parts } }
    await request(() => client.send(new s3.CompleteMultipartUploadCommand(complete)))
  } catch (error) {
    // What is left of an upload that could not be aborted either is the bucket's to expire (docs/OPERATING.md).
    if (upload) await client.send(new s3.AbortMultipartUploadCommand(upload)).catch(() => undefined)
    throw error
  }
}

/** The bytes in parts of PART_BYTES; the last is shorter, or empty when there are none. A part is reused when the next is asked for. */
async function* cut(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<{ part: Uint8Array; isLast: boolean }> {
  const part = new Uint8Array(PART_BYTES)
  let filled = 0
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length; ) {
      if (filled === PART_BYTES) {
        yield { part, isLast: false }
        filled = 0
      }
      const some = piece.subarray(at, at + PART_BYTES - filled)
      part.set(some, filled)
      filled += some.length
      at += some.length
    }
  }
  yield { part: part.subarray(0, filled), isLast: true }
}
