import { open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { certificateTimes, createSigningRequest, spiffeId } from '../../src/crypto/certificates.ts'
import { checkOwnCertificate, joinKeyAndCertificate, type TlsMaterial } from '../../src/wire/credentials.ts'
import type { HolderConnection } from '../../src/wire/holder-connection.ts'
import { WireError } from '../../src/wire/wire-error.ts'

export interface RenewalParts {
  readonly connection: Pick<HolderConnection, 'renewCertificate' | 'useCertificate'>
  readonly tls: TlsMaterial
  /** Of the key and certificate; replaced as a whole. */
  readonly file: string
  readonly log: Logger
  readonly onRenewed?: (certificatePem: string) => void
  readonly now?: () => Date
}

/** The clock is looked at so often: a machine that slept renews soon after it wakes. */
const LOOK_MS = 60_000

/**
 * Renews a holder's TLS certificate over the running connection whenever two thirds of its life are over, with a new key
 * each time, until the signal fires. A failed attempt is repeated at the next look.
 */
export async function keepCertificateFresh(parts: RenewalParts, signal: AbortSignal, lookMs = LOOK_MS): Promise<void> {
  const { log, now = () => new Date() } = parts
  let { tls } = parts
  while (!signal.aborted) {
    if (now() >= certificateTimes(tls.certificatePem).renewAt) {
      try {
        tls = await renewCertificate({ ...parts, tls })
        const { notAfter } = certificateTimes(tls.certificatePem)
        parts.onRenewed?.(tls.certificatePem)
        log.info({ event: 'certificate-renewed', notAfter }, 'the certificate was renewed')
      } catch (error) {
        const code = error instanceof WireError ? error.code : undefined
        log.warn(
          { event: 'renewal-failed', code, err: error },
          'the certificate could not be renewed; it is tried again',
        )
      }
    }
    await sleep(lookMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Draws a key, has it certified for the same identity, keeps both durably, and dials with them. */
export async function renewCertificate({
  connection,
  tls,
  file,
}: Pick<RenewalParts, 'connection' | 'tls' | 'file'>): Promise<TlsMaterial> {
  const identity = checkOwnCertificate(tls, new Date())
  const { keyPem, signingRequest } = await createSigningRequest(identity)
  const { certificatePem } = await connection.renewCertificate(signingRequest)
  const renewed = { keyPem, certificatePem, authorityPem: tls.authorityPem }
  if (spiffeId(checkOwnCertificate(renewed, new Date())) !== spiffeId(identity)) {
    throw new WireError('credential-invalid', 'The venue answered with the certificate of someone else.')
  }
  await replaceSecretFile(file, joinKeyAndCertificate(renewed))
  connection.useCertificate(renewed)
  return renewed
}

/** Durable, and at once: whoever reads finds the old pair or the new one, never a key beside another's certificate. */
async function replaceSecretFile(path: string, content: string): Promise<void> {
  const part = `${resolve(path)}.part`
  await rm(part, { force: true })
  const file = await open(part, 'wx', 0o600)
  await file
    .writeFile(content)
    .then(() => file.sync())
    .finally(() => file.close())
  await rename(part, path)
  const directory = await open(dirname(part), 'r')
  await directory.sync().finally(() => directory.close())
}
