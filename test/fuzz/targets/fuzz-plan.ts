import { digestOf, toHex } from '../../../src/crypto/digest.ts'
import { EMPTY_ROOT } from '../../../src/log/merkle-hash.ts'
import { drawPlanCommittee, type RoundPlan } from '../../../src/protocol/round-plan.ts'
import { checkSegment } from '../../../src/protocol/segments.ts'

const HOLDERS = ['cleveland', 'hungary', 'long-beach', 'switzerland']
const cohort = HOLDERS.map((holder) => ({
  holder,
  organisation: `${holder} hospital`,
  statementKey: digestOf(Buffer.from(`${holder}/statement`)),
  boxKey: digestOf(Buffer.from(`${holder}/box`)),
}))
const drawn = { job: digestOf(Buffer.from('job')), round: 1, cohort }

/** A consistent plan. */
export const FUZZ_PLAN: RoundPlan = {
  ...drawn,
  nonce: digestOf(Buffer.from('nonce')),
  step: 'training',
  inputs: [{ name: 'model', digest: digestOf(Buffer.from('model')) }],
  committee: drawPlanCommittee(drawn),
  minContributors: 3,
  vector: { precisionBits: 16, segments: [{ name: 'update', length: 5, low: -1, high: 1 }, checkSegment(16)] },
  payload: { scheme: 'kahe-rlwe-2048-54' },
  collectUntil: '2026-03-01T12:01:00.000Z',
  registry: digestOf(Buffer.from('registry')),
  after: { size: 0, root: toHex(EMPTY_ROOT) },
}
