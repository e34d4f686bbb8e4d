import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { runHolderNode } from '../../nodes/holder/holder-node.ts'
import { joinHolder } from './join-holder.ts'
import { joinOnce } from './join-once.ts'
import { openDiscreetLog, stopSignal } from './process-life.ts'
import { SOFTWARE } from './version.ts'

export interface HolderStartOptions {
  readonly directory: string
  /** A file that holds an invite, now or later. */
  readonly invite?: string
  readonly logLevel: string
}

/** What `sluice holder start` does. @throws what `joinOnce`, `loadHolderSettings` and `runHolderNode` throw */
export async function startHolder({ directory, invite, logLevel }: HolderStartOptions): Promise<void> {
  const signal = stopSignal()
  if (invite !== undefined) {
    const party = { configuration: 'holder.yaml', join: joinHolder } as const
    await joinOnce(directory, invite, party, openDiscreetLog('holder', logLevel), signal)
    if (signal.aborted) return
  }
  const settings = await loadHolderSettings(directory)
  await runHolderNode(settings, SOFTWARE, openDiscreetLog(settings.config.name, logLevel), signal)
}
