/** A sealed round whose ciphertexts lie in a spool, and what their sum is: for tests of adding up, which needs neither keys nor shares. */
import { randomBytes } from 'node:crypto'
import type { CoordinatorStore, PayloadSpool } from '../../src/coordinator/ports.ts'
import { type Digest, digestOf, fromHex } from '../../src/crypto/digest.ts'
import { chunkGeometry } from '../../src/crypto/payload-parameters.ts'
import type { PayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { type CoordinatorRound, planRound } from '../../src/protocol/coordinator-round.ts'
import { manifestStatement } from '../../src/protocol/manifest.ts'
import { planParameters, type RoundPlan } from '../../src/protocol/round-plan.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { someCandidates, someDigest, someJob } from '../contract/coordinator-fixtures.ts'
import { coordinatorKey, createParties, makePlan } from './round-fixtures.ts'

export interface SealedPayloads {
  readonly round: CoordinatorRound
  readonly contributors: readonly string[]
  /** Of the sum, added up chunk by chunk with nothing of the coordinator's. */
  readonly sum: Digest
}

/** A sealed round of `chunkCount` chunks, the last of them shorter, stored with random ciphertexts of all its members. */
export async function sealPayloads(
  chunkCount: number,
  names: readonly string[],
  { store, spool, workers }: { store: CoordinatorStore; spool: PayloadSpool; workers: PayloadWorkers },
): Promise<SealedPayloads> {
  const round = await storeSealed(chunkCount, names, store)
  const parameters = planParameters(round.plan)
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(round.planDigest) })
  for (const holder of names) {
    const writer = await spool.open(round.planDigest, holder, parameters)
    for (let index = 0; index < chunkCount; index++) {
      // 54 random bits are a residue modulo q but for one in 2^37.
      const chunk = randomBytes(chunkGeometry(parameters, index).bytes)
      await Promise.all([writer.append(chunk), aggregation.add(index, chunk)])
    }
    await writer.commit()
  }
  const digests: Digest[] = []
  for (let index = 0; index < chunkCount; index++) digests.push(digestOf(await aggregation.takeSum(index)))
  await aggregation.end()
  return { round, contributors: names, sum: payloadDigest(digests) }
}

async function storeSealed(chunkCount: number, names: readonly string[], store: CoordinatorStore) {
  const { job, envelope } = someJob()
  await store.addJob(job, envelope, new Date())
  const parties = await createParties(names)
  const planOf = (length: number): RoundPlan =>
    makePlan(parties, {
      job,
      nonce: someDigest(),
      vector: { precisionBits: 16, segments: [{ name: 'update', length, low: -1, high: 1 }, checkSegment(16)] },
    })
  const { valuesPerChunk } = planParameters(planOf(1))
  const planned = planRound(planOf((chunkCount - 1) * valuesPerChunk + 1000), coordinatorKey)
  if (planParameters(planned.plan).chunkCount !== chunkCount)
    throw new Error('the plan has other chunks than asked for')
  await store.addRound(planned)
  const entry = (holder: string) => ({ holder, contribution: someDigest(), payload: someDigest() })
  const body = {
    plan: planned.planDigest,
    candidates: someDigest(),
    contributions: names.map(entry),
    checks: names.map(() => someDigest()),
    dealings: [],
    excluded: [],
    setAside: [],
    sealedAt: '2026-03-01T12:00:00.000Z',
  }
  const manifest = signStatement(manifestStatement, body, coordinatorKey)
  await store.setRoundPhase(planned.planDigest, 'checking', { candidates: someCandidates(planned) })
  await store.setRoundPhase(planned.planDigest, 'sealed', { manifest })
  return store.loadRound(planned.planDigest)
}
