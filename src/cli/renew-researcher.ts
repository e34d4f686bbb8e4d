import { join } from 'node:path'
import { renewCertificate } from '../../nodes/holder/certificate-renewal.ts'
import { certificateTimes } from '../crypto/certificates.ts'
import { SluiceError } from '../sluice-error.ts'
import { HolderConnection } from '../wire/holder-connection.ts'
import { loadResearcher, TLS_FILES } from './venue-files.ts'
import { SOFTWARE } from './version.ts'

/**
 * {@link loadResearcher}, with a new certificate when two thirds of the present one's life are over: a researcher runs no node
 * that would see to it. When the coordinator cannot be asked the present one serves, and the next command tries again.
 * @throws CliError as `loadResearcher`; WireError for a certificate that has expired
 */
export async function loadCurrentResearcher(directory: string, now: Date): ReturnType<typeof loadResearcher> {
  const researcher = await loadResearcher(directory)
  const { config, tls } = researcher
  if (now < certificateTimes(tls.certificatePem).renewAt) return researcher
  const connection = new HolderConnection(config.coordinator, config.venue, tls, SOFTWARE)
  try {
    return { config, tls: await renewCertificate({ connection, tls, file: join(directory, TLS_FILES.identity) }) }
  } catch (error) {
    if (error instanceof SluiceError) return researcher
    throw error
  } finally {
    connection.close()
  }
}
