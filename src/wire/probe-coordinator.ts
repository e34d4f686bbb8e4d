import type { Metadata, ServiceError } from '@grpc/grpc-js'
import { channelOptions } from './channel.ts'
import { CoordinatorContract } from './contract.ts'
import { clientCredentials, type TlsMaterial } from './credentials.ts'
import { fromServiceError } from './status.ts'
import type { WireError } from './wire-error.ts'

/** What a coordinator answers to a member that only looks. */
export interface CoordinatorProbe {
  /** The coordinator's clock, to the second; undefined when it did not answer, or a proxy keeps it. */
  readonly date?: Date
  /** The version of the protocol that it speaks; undefined when it did not say. */
  readonly protocolVersion?: string
  /** Why it does not let this member in: `not-admitted`, `admission-pending`, or that it cannot be reached. */
  readonly refusal?: WireError
}

/** No version of the protocol: whoever greets with it is told the coordinator's, and takes nobody's place. */
const NO_VERSION = '?'
const SPOKEN = /speaks protocol (\S{1,20}),/

/**
 * Dials as a holder does, and greets with a version that nobody speaks: the coordinator says which one it speaks, and a node of the
 * same holder that is connected stays so. Never rejects.
 */
export function probeCoordinator(
  address: string,
  venue: string,
  tls: TlsMaterial,
  timeoutMs = 5000,
): Promise<CoordinatorProbe> {
  const client = new CoordinatorContract(address, clientCredentials(tls, venue), channelOptions(venue))
  return new Promise<CoordinatorProbe>((resolve) => {
    const stream = client.attend({ deadline: Date.now() + timeoutMs })
    let date: Date | undefined
    stream.on('metadata', (metadata) => {
      date = dateOf(metadata) ?? date
    })
    stream.on('data', () => {})
    stream.on('end', () => {})
    stream.on('error', (error: ServiceError) => {
      resolve(readAnswer(fromServiceError(error, address), dateOf(error.metadata) ?? date))
    })
    stream.write({ hello: { protocolVersion: NO_VERSION, software: 'sluice doctor' } })
  }).finally(() => client.close())
}

function readAnswer(refusal: WireError, date: Date | undefined): CoordinatorProbe {
  const at = date ? { date } : {}
  if (refusal.code !== 'protocol-version') return { ...at, refusal }
  const protocolVersion = SPOKEN.exec(refusal.message)?.[1]
  return protocolVersion ? { ...at, protocolVersion } : { ...at, refusal }
}

/** HTTP/2 answers carry the server's time, as HTTP's do (RFC 9110 §6.6.1). */
function dateOf(metadata: Metadata | undefined): Date | undefined {
  const [value] = metadata?.get('date') ?? []
  const date = new Date(String(value))
  return value === undefined || Number.isNaN(date.getTime()) ? undefined : date
}
