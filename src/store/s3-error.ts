import { StoreError } from './store-error.ts'

/** What the client's errors say; nothing else of them is looked at or kept. */
interface S3Fault {
  readonly name?: string
  readonly message?: string
  /** Of the system: ECONNREFUSED and the like. */
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
}

/** Whether an object is not there; a bucket that is not is another matter. */
export function isAbsent(fault: unknown): boolean {
  const { name } = fault as S3Fault
  return name === 'NoSuchKey' || name === 'NotFound'
}

/** The StoreError of a failed request. @param doing what failed, with key and bucket */
export function s3Error(fault: unknown, doing: string): StoreError {
  if (fault instanceof StoreError) return fault
  const { name = 'failed', code, $metadata } = fault as S3Fault
  const status = $metadata?.httpStatusCode ?? 0
  const cause = bare(fault as S3Fault)
  if (isTransient(name, code, status)) {
    return new StoreError('blobs-unreachable', `${doing}: ${code ?? name}. Check that the server runs, then repeat.`, {
      cause,
    })
  }
  if (isRefused(fault as S3Fault, status)) {
    return new StoreError(
      'blobs-refused',
      `${doing}: ${name}. Check bucket, region and endpoint in the URL of the blobs, and the credentials in the environment or in AWS's files.`,
      { cause },
    )
  }
  return new StoreError('io-failed', `${doing}: ${name}. See what the server's log says, then repeat.`, { cause })
}

function isTransient(name: string, code: string | undefined, status: number): boolean {
  if (status >= 500 || status === 429) return true
  if (/^(E[A-Z_]{3,}|UND_ERR_.*)$/.test(code ?? '')) return true
  return ['TimeoutError', 'SlowDown', 'RequestTimeout', 'NetworkingError'].includes(name)
}

/** What a person has to set right. A client without credentials or region does not get as far as a status; 301 is another region's bucket. */
function isRefused({ name = '', message = '' }: S3Fault, status: number): boolean {
  if ([301, 400, 401, 403].includes(status) || /^(NoSuchBucket|CredentialsProviderError)$/.test(name)) return true
  return status === 0 && /^Region is missing/.test(message)
}

/** An error of the client without requests and responses, which carry headers: what signs a request is in those. */
function bare({ name, message, code, $metadata }: S3Fault): Error {
  const kept = new Error(message)
  return Object.assign(kept, { name, code, status: $metadata?.httpStatusCode, requestId: $metadata?.requestId })
}
