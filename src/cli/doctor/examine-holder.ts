import { resolve } from 'node:path'
import { type HolderSettings, loadHolderSettings } from '../../../nodes/holder/configuration-files.ts'
import { openDataset } from '../../../nodes/holder/datasets.ts'
import { coordinatorAddresses } from '../../../nodes/holder/holder-config.ts'
import { PROTOCOL_VERSION } from '../../wire/limits.ts'
import { type CoordinatorProbe, probeCoordinator } from '../../wire/probe-coordinator.ts'
import { splitAddress } from '../../wire/probe-listener.ts'
import { checkCertificate } from './check-certificate.ts'
import { checkClock, httpDate } from './check-clock.ts'
import { checkListener, isAdminOf } from './check-listeners.ts'
import { checkLog, readSeenLog } from './check-log.ts'
import { checkDisk, checkNode, checkPermissions } from './check-machine.ts'
import { type Diagnosis, diagnose, failing, warning, well } from './diagnosis.ts'

export interface ExaminationOptions {
  /** Where the venue serves its log; the second port after the coordinator's unless told. */
  readonly logUrl?: string
  readonly now: () => Date
}

/** Examines a holder's directory, and what it dials. Never rejects for what it finds. */
export async function examineHolder(directory: string, { logUrl, now }: ExaminationOptions): Promise<Diagnosis[]> {
  const at = (path: string) => resolve(directory, path)
  const found: Diagnosis[] = [checkNode()]
  let settings: HolderSettings
  try {
    settings = await loadHolderSettings(directory)
  } catch (error) {
    return [...found, ...(await diagnose('configuration', () => Promise.reject(error)))]
  }
  const { config, tls } = settings
  found.push(well('configuration', `${config.name}, a holder of ${config.venue}`))
  found.push(...(await diagnose('permissions', () => checkPermissions([at(config.tls.identity), at(config.identity)]))))
  found.push(...(await diagnose('disk', () => checkDisk(at(config.journal)))))
  const expected = { venue: config.venue, role: 'holder', name: config.name } as const
  const renewal = 'Start the node: it renews by itself. Once expired, ask the venue for a new invite.'
  found.push(...(await diagnose('certificate', async () => checkCertificate(tls, expected, renewal, now()))))
  const addresses = coordinatorAddresses(config)
  const url = logUrl ?? defaultLogUrl(addresses[0])
  const probes = await Promise.all(addresses.map((address) => probeCoordinator(address, config.venue, tls)))
  const theirs = probes.find(({ date }) => date)?.date ?? (await httpDate(`${url}/checkpoint`))
  found.push(checkClock(now(), theirs, 'the coordinator'))
  found.push(...probes.map((probe, i) => judgeProbe(addresses[i], probe)))
  found.push(
    ...(await diagnose('log', () => {
      const seen = readSeenLog(at(config.journal), settings.logKey.name)
      return checkLog(url, logUrl === undefined, settings.logKey, seen)
    })),
  )
  const { adminListen: address } = config
  if (address) {
    const isOurs = () => isAdminOf(address, 'holder', config.name)
    found.push(...(await diagnose('port adminListen', () => checkListener({ field: 'adminListen', address, isOurs }))))
  }
  return [...found, ...(await examineDatasets(directory, settings))]
}

function defaultLogUrl(coordinator: string): string {
  const { port } = splitAddress(coordinator)
  return `http://${coordinator.slice(0, coordinator.lastIndexOf(':'))}:${port + 2}/log`
}

/** Whether the coordinator is there, knows this holder, and speaks its language. */
export function judgeProbe(address: string, { refusal, protocolVersion }: CoordinatorProbe): Diagnosis {
  const check = 'coordinator'
  if (refusal) {
    const judged = refusal.code === 'admission-pending' ? warning : failing
    return judged(check, `${address}: ${refusal.code}`, refusal.message)
  }
  if (protocolVersion === PROTOCOL_VERSION)
    return well(check, `${address} answers, and speaks protocol ${protocolVersion}`)
  return failing(
    check,
    `${address} speaks protocol ${protocolVersion}, this release ${PROTOCOL_VERSION}`,
    'Update the older of the two.',
  )
}

async function examineDatasets(directory: string, { config, policy }: HolderSettings): Promise<Diagnosis[]> {
  if (config.datasets.length === 0) {
    return [warning('datasets', 'none', 'Name one under datasets in holder.yaml, and in the policy.')]
  }
  const found: Diagnosis[] = []
  for (const dataset of config.datasets) {
    const check = `dataset ${dataset.name}`
    const run = async () => {
      using open = await openDataset(dataset, { baseDirectory: directory })
      const what = `${open.recordCount} records, ${open.columns.length} columns`
      if (Object.hasOwn(policy.datasets, dataset.name)) return well(check, what)
      return warning(check, `${what}, not offered`, 'Name it under datasets in the policy, or nobody can use it.')
    }
    found.push(...(await diagnose(check, run)))
  }
  const missing = Object.keys(policy.datasets).filter((name) => !config.datasets.some((each) => each.name === name))
  for (const name of missing) {
    found.push(
      failing(
        `dataset ${name}`,
        'the policy offers it, holder.yaml has none',
        'Name it under datasets in holder.yaml.',
      ),
    )
  }
  return found
}
