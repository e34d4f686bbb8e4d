import { describe, expect, it } from 'vitest'
import { roundTable } from '../../src/cli/job-table.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'

const published = (round: number, step: string, more: object = {}) =>
  ({
    kind: 'round-published',
    round,
    step,
    contributors: ['north', 'south', 'west'],
    durations: { totalMs: 112.6 },
    ...more,
  }) as unknown as JobEvent
const evaluation = (accuracy: number) => ({
  accuracy: { value: accuracy },
  auc: { value: 0.9 },
  meanLoss: 0.4,
  exampleCount: 184,
})

describe('the table of a job', () => {
  it('has a line for each published round, and ends with what the final model came to', () => {
    const planned = { kind: 'round-planned', round: 1, step: 'statistics', holders: [] } as unknown as JobEvent
    const events = [
      planned,
      published(1, 'statistics'),
      published(3, 'training', { evaluation: evaluation(0.5) }),
      published(4, 'evaluation', { evaluation: { ...evaluation(0.75), auc: undefined } }),
    ]
    expect(roundTable(events).split('\n')).toEqual([
      'round  step        holders  ms   accuracy  AUC    loss',
      '1      statistics  3        113',
      '3      training    3        113  0.500     0.900  0.400',
      '4      evaluation  3        113  0.750     –      0.400',
      'final model: accuracy 0.750, AUC – on 184 held-out records',
    ])
  })

  it('of a job that was cut short says nothing of a final model', () => {
    expect(roundTable([published(1, 'statistics')]).split('\n')).toHaveLength(2)
  })
})
