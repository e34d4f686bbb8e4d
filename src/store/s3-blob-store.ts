import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3'
import type { BlobStore } from '../coordinator/ports.ts'
import { keySegments, rangeWithin } from './blob-key.ts'
import type { S3Location } from './blobs-url.ts'
import { isAbsent, s3Error } from './s3-error.ts'
import { putInParts } from './s3-multipart.ts'
import { StoreError } from './store-error.ts'

/** A try of a request ends when nothing has moved for so long; the client tries three times. */
const CONNECT_TIMEOUT_MS = 5000
const IDLE_TIMEOUT_MS = 30_000
/** Requests at a time; more wait their turn. */
const SOCKETS = 64
/** What one request may delete. */
const DELETE_BATCH = 1000

type S3 = typeof import('@aws-sdk/client-s3')

/** A client and where it works. */
export interface S3Place {
  readonly s3: S3
  readonly client: S3Client
  readonly location: S3Location
}

/**
 * Blobs as objects of an S3 bucket, at Amazon or at another server that speaks its protocol. Credentials are those of the process: the
 * environment, the shared files or the machine's role, as AWS tools take them. The client is loaded here and nowhere else.
 *
 * @throws StoreError `blobs-unreachable`, `blobs-refused`; the methods too, and as their port says
 */
export async function openS3BlobStore(location: S3Location): Promise<BlobStore> {
  const s3 = await import('@aws-sdk/client-s3')
  const client = new s3.S3Client({
    region: location.region,
    endpoint: location.endpoint,
    forcePathStyle: location.pathStyle,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
      httpAgent: { maxSockets: SOCKETS },
      httpsAgent: { maxSockets: SOCKETS },
    },
  })
  const place = { s3, client, location }
  // Whether bucket and credentials are right is to be known before anything rests on it.
  await attempt(place, 'Opening', () => client.send(new s3.ListObjectsV2Command({ ...within(place, ''), MaxKeys: 1 })))
  return {
    put: (key, bytes) => putObject(place, objectKey(place, key), bytes),
    get: (key, range) => getObject(place, key, range),
    size: (key) => objectSize(place, objectKey(place, key)),
    list: async (prefix) => (await objectsUnder(place, prefix)).map(({ key }) => key).sort(),
    bytesUnder: async (prefix) => (await objectsUnder(place, prefix)).reduce((sum, { bytes }) => sum + bytes, 0),
    delete: (prefix) => deleteObjects(place, prefix),
  }
}

function objectKey({ location }: S3Place, key: string): string {
  return `${location.prefix}${keySegments(key).join('/')}`
}

function within({ location }: S3Place, prefix: string) {
  return { Bucket: location.bucket, Prefix: `${location.prefix}${prefix}` }
}

/** @param doing what is done, for the message: "Reading spool/…" */
async function attempt<T>({ location }: S3Place, doing: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (fault) {
    throw s3Error(fault, `${doing} in the bucket ${location.bucket}`)
  }
}

async function putObject(place: S3Place, key: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  const { s3, client, location } = place
  if (!(bytes instanceof Uint8Array)) return putInParts(place, key, bytes)
  const request = new s3.PutObjectCommand({ Bucket: location.bucket, Key: key, Body: bytes })
  await attempt(place, `Writing ${key}`, () => client.send(request))
}

async function getObject(
  place: S3Place,
  key: string,
  range?: { readonly offset: number; readonly bytes: number },
): Promise<Uint8Array> {
  const { s3, client, location } = place
  const Key = objectKey(place, key)
  if (range && !(range.bytes > 0 && range.offset >= 0 && Number.isSafeInteger(range.offset + range.bytes))) {
    return emptyRange(place, key, range)
  }
  const Range = range && `bytes=${range.offset}-${range.offset + range.bytes - 1}`
  try {
    const object = await client.send(new s3.GetObjectCommand({ Bucket: location.bucket, Key, Range }))
    const read = await bodyOf(object)
    // What is short is not within the object; what is long comes from a server that knows no ranges.
    if (range && read.length < range.bytes) throw outside(key, range)
    if (range && read.length > range.bytes) throw new Error('a server gave more bytes than it was asked for')
    return read
  } catch (fault) {
    if (isAbsent(fault)) throw notFound(key, fault)
    if ((fault as { name?: string }).name === 'InvalidRange') throw outside(key, range)
    throw s3Error(fault, `Reading ${Key} in the bucket ${location.bucket}`)
  }
}

/** No byte can be asked for; and what is no range is refused by name. */
async function emptyRange(place: S3Place, key: string, range: { readonly offset: number; readonly bytes: number }) {
  const size = await objectSize(place, objectKey(place, key))
  if (size === undefined) throw notFound(key)
  return new Uint8Array(rangeWithin(range, size).bytes)
}

/** All bytes of a response, in a buffer of their own. */
async function bodyOf({ Body, ContentLength }: GetObjectCommandOutput): Promise<Uint8Array> {
  if (!Body || ContentLength === undefined) throw new Error('a server answered without a body or its length')
  const bytes = new Uint8Array(ContentLength)
  let filled = 0
  for await (const piece of Body as AsyncIterable<Uint8Array>) {
    bytes.set(piece, filled)
    filled += piece.length
  }
  if (filled < bytes.length) throw Object.assign(new Error('a response was cut'), { code: 'ECONNRESET' })
  return bytes
}

async function objectSize(place: S3Place, key: string): Promise<number | undefined> {
  const { s3, client, location } = place
  try {
    return (await client.send(new s3.HeadObjectCommand({ Bucket: location.bucket, Key: key }))).ContentLength
  } catch (fault) {
    if (isAbsent(fault)) return undefined
    throw s3Error(fault, `Looking at ${key} in the bucket ${location.bucket}`)
  }
}

async function objectsUnder(
  place: S3Place,
  prefix: string,
): Promise<{ readonly key: string; readonly bytes: number }[]> {
  const { s3, client, location } = place
  const under = within(place, `${keySegments(prefix).join('/')}/`)
  return attempt(place, `Listing ${under.Prefix}`, async () => {
    const found = []
    for await (const { Contents } of s3.paginateListObjectsV2({ client }, under)) {
      for (const { Key, Size } of Contents ?? [])
        found.push({ key: Key!.slice(location.prefix.length), bytes: Size ?? 0 })
    }
    return found
  })
}

async function deleteObjects(place: S3Place, prefix: string): Promise<void> {
  const { s3, client, location } = place
  const keys = [prefix, ...(await objectsUnder(place, prefix)).map(({ key }) => key)]
  for (let at = 0; at < keys.length; at += DELETE_BATCH) {
    const Objects = keys.slice(at, at + DELETE_BATCH).map((key) => ({ Key: objectKey(place, key) }))
    const request = new s3.DeleteObjectsCommand({ Bucket: location.bucket, Delete: { Objects, Quiet: true } })
    const { Errors } = await attempt(place, `Deleting ${prefix}`, () => client.send(request))
    if (Errors?.length) throw s3Error({ name: Errors[0].Code }, `Deleting ${prefix} in the bucket ${location.bucket}`)
  }
}

/** Shown to peers: names no bucket. */
function notFound(key: string, cause?: unknown): StoreError {
  return new StoreError('not-found', `Nothing is stored as ${key}.`, { cause })
}

function outside(key: string, range?: { readonly offset: number; readonly bytes: number }): StoreError {
  return new StoreError('invalid-value', `${key} has no ${range?.bytes} bytes at ${range?.offset}.`)
}
