import { z } from 'zod'
import { StoreError } from './store-error.ts'

/** Where an S3 store is. No credentials: those are the process's. */
export interface S3Location {
  readonly bucket: string
  /** Of every key, with its last slash; may be empty. */
  readonly prefix: string
  /** Of a server that is not Amazon's. */
  readonly endpoint?: string
  readonly region?: string
  /** Bucket in the path and not in the host's name. */
  readonly pathStyle: boolean
}

export type BlobsLocation =
  | { readonly kind: 'directory'; readonly path: string }
  | ({ readonly kind: 's3' } & S3Location)

const EXAMPLES =
  's3://bucket/prefix?region=… (&endpoint=https://…&pathStyle=true for other servers than Amazon), or file:///directory'

const s3OptionsSchema = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine((text) => !hasCredentials(URL.parse(text)))
    .optional(),
  region: z.string().min(1).optional(),
  pathStyle: z.enum(['true', 'false']).default('false'),
})

/**
 * Reads the URL of a blob store.
 * @throws StoreError `bad-blobs-url`; its message does not repeat the URL, in case there is a secret in it
 */
export function parseBlobsUrl(text: string): BlobsLocation {
  const url = URL.parse(text)
  if (!url || hasCredentials(url) || url.hash) throw badUrl()
  if (url.protocol === 'file:' && url.host === '' && url.search === '') {
    return { kind: 'directory', path: decodeURIComponent(url.pathname) }
  }
  if (url.protocol !== 's3:' || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.host)) throw badUrl()
  const options = s3OptionsSchema.safeParse(Object.fromEntries(url.searchParams))
  const segments = url.pathname.split('/').filter((segment) => segment !== '')
  if (!options.success || !segments.every((segment) => /^[a-zA-Z0-9._-]+$/.test(segment))) throw badUrl()
  const { endpoint, region, pathStyle } = options.data
  const prefix = segments.map((segment) => `${segment}/`).join('')
  return { kind: 's3', bucket: url.host, prefix, endpoint, region, pathStyle: pathStyle === 'true' }
}

function hasCredentials(url: URL | null): boolean {
  return !!url && (url.username !== '' || url.password !== '')
}

function badUrl(): StoreError {
  return new StoreError(
    'bad-blobs-url',
    `The URL of the blobs is none: write ${EXAMPLES}; credentials are taken from the environment and files that AWS tools use, never from the URL.`,
  )
}
