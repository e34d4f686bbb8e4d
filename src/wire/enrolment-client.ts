import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { type Digest, digestOf } from '../crypto/digest.ts'
import { channelOptions } from './channel.ts'
import { envelopeToWire } from './codec.ts'
import { EnrolmentContract } from './contract.ts'
import { enrolmentClientCredentials } from './credentials.ts'
import type { Enrolment } from './enrolment-service.ts'
import type { EnrolResponse__Output } from './generated/sluice/v1/EnrolResponse.ts'
import { PROTOCOL_VERSION } from './limits.ts'
import type { IssuedCertificate } from './peer.ts'
import { fromServiceError } from './status.ts'
import { WireError } from './wire-error.ts'

/** Where an invited party enrols, and what it knows of the venue from its invite. */
export interface EnrolmentAddress {
  /** host:port */
  readonly address: string
  readonly venue: string
  /** SHA-256 of the venue's authority certificate. */
  readonly authority: Digest
}

/** How long a venue has to show itself, and then to answer. */
const PATIENCE_MS = 15_000

/**
 * Enrols. The secret leaves only over a connection that the invite's authority has signed for.
 * @returns the certificate, and the authority, which is the invite's.
 * @throws WireError `authority-mismatch`, `wrong-peer`, `coordinator-unreachable`, `invite-unknown`, `invite-expired`,
 *   `invite-used`, `enrolment-refused`
 */
export async function enrol(at: EnrolmentAddress, enrolment: Enrolment): Promise<IssuedCertificate> {
  const authorityPem = await fetchAuthority(at)
  const { address, venue } = at
  const client = new EnrolmentContract(address, enrolmentClientCredentials(authorityPem, venue), channelOptions(venue))
  const { application, secret, signingRequest } = enrolment
  const request = {
    protocolVersion: PROTOCOL_VERSION,
    secret,
    signingRequest,
    ...(application ? { application: envelopeToWire(application) } : {}),
  }
  try {
    const response = await new Promise<EnrolResponse__Output>((resolve, reject) => {
      client.enrol(request, { deadline: Date.now() + PATIENCE_MS }, (error, answer) =>
        error ? reject(fromServiceError(error, address)) : resolve(answer!),
      )
    })
    return { certificatePem: response.certificate?.certificatePem ?? '', authorityPem }
  } finally {
    client.close()
  }
}

/**
 * The certificate of the venue's authority, as whoever answers shows it: believed only when it is the one that the invite
 * names. Nothing is sent on this connection; the next one is verified against what this one brought.
 * @returns PEM
 * @throws WireError `authority-mismatch`, `coordinator-unreachable`, `address-invalid`
 */
export async function fetchAuthority({ address, venue, authority }: EnrolmentAddress): Promise<string> {
  const [, host, port] = /^\[?(.+?)\]?:(\d{1,5})$/.exec(address) ?? []
  if (!host) throw new WireError('address-invalid', `"${address}" is not host:port: copy the whole invite.`)
  const socket = connect({
    host,
    port: Number(port),
    servername: `coordinator.${venue}`,
    ALPNProtocols: ['h2'],
    // Whom to believe is what is found out here.
    rejectUnauthorized: false,
  })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(PATIENCE_MS) })
    const found = chainOf(socket).find((raw) => digestOf(raw) === authority)
    if (found) return new X509Certificate(found).toString()
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'no answer'
    throw new WireError(
      'coordinator-unreachable',
      `Nobody enrols at ${address} (${why}): check that the venue's coordinator runs, and the firewall, then join again.`,
      { cause },
    )
  } finally {
    socket.destroy()
  }
  throw new WireError(
    'authority-mismatch',
    `Whoever answers at ${address} is not the venue of the invite: its authority has another fingerprint. Nothing was sent to it. Compare the fingerprint with the venue's operator before you try again.`,
  )
}

const CHAIN_MAX = 4

function chainOf(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = []
  let certificate = socket.getPeerCertificate(true)
  while (certificate?.raw && chain.length < CHAIN_MAX) {
    chain.push(certificate.raw)
    if (certificate.issuerCertificate === certificate) break
    certificate = certificate.issuerCertificate
  }
  return chain
}
