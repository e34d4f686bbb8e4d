/** A holder node as `sluice holder start` runs it, but for its trainer: see cheap-trainer.ts. */
import { parseArgs } from 'node:util'
import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { runHolderNode } from '../../nodes/holder/holder-node.ts'
import { openDiscreetLog, stopSignal } from '../../src/cli/process-life.ts'
import { openCheapTrainer } from './cheap-trainer.ts'

const { values } = parseArgs({ options: { directory: { type: 'string', default: '.' } } })
const settings = await loadHolderSettings(values.directory)
const log = openDiscreetLog(settings.config.name, 'info')
await runHolderNode(settings, 'bench', log, stopSignal(), openCheapTrainer)
