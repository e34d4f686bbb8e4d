import type { Digest } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import type { StatementKey } from '../../src/crypto/statement-key.ts'
import { LearningError } from '../../src/learning/learning-error.ts'
import { outputNameReading, type RoundOutputName } from '../../src/learning/round-output.ts'
import { signPayloadHash } from '../../src/protocol/payload-hashing.ts'
import { planParameters } from '../../src/protocol/round-plan.ts'
import type { StretchReader, SumReading } from '../../src/protocol/sum-reading.ts'
import { type SumVerdict, type VerificationParts, verifySum } from '../../src/protocol/sum-verification.ts'
import type { Verdict } from '../../src/sluice-error.ts'
import type { SentContribution } from './sent-contributions.ts'

export interface SumVerificationParts extends VerificationParts {
  readonly fetchArtifact: (digest: Digest) => Promise<Uint8Array>
}

/** This contributor's hash of its own ciphertext, signed; the ciphertext streams from where it is kept. */
export function hashOwnPayload(
  sent: SentContribution,
  manifest: Envelope,
  sum: Digest,
  { workers, coordinatorKey }: Pick<SumVerificationParts, 'workers' | 'coordinatorKey'>,
  key: StatementKey,
): Promise<Verdict<Envelope, string>> {
  const parameters = planParameters(sent.plan)
  const own = { ...sent, parameters }
  return signPayloadHash(own, chunksOf(sent, parameters.chunkCount), { manifest, sum }, coordinatorKey, workers, key)
}

async function* chunksOf({ readChunk }: SentContribution, count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) yield await readChunk(index)
}

/**
 * Checks what the coordinator published for a round that this holder contributed to, and makes the round's output again.
 * Refusals and errors: those of `verifySum`.
 */
export function verifyOwnSum(
  sent: SentContribution,
  publication: Envelope,
  parts: SumVerificationParts,
): Promise<Verdict<SumVerdict, string>> {
  const { plan, specification, step } = sent
  const model = plan.inputs.find(({ name }) => name === 'model')
  // A step without a model never asks for it.
  const loadModel = () => parts.fetchArtifact(model!.digest)
  const reading = outputNameReading({ job: plan.job, specification, step, loadModel })
  return verifySum(sent, publication, parts, toleratingFaults(reading))
}

/** A sum of which nothing can be made is read to its end all the same: what is wrong with it is the question. */
function toleratingFaults(reading: SumReading<RoundOutputName>): SumReading<RoundOutputName | undefined> {
  return {
    streamed: reading.streamed,
    begin: async (sums, contributors) => {
      let reader: StretchReader<RoundOutputName> | undefined
      try {
        reader = await reading.begin(sums, contributors)
      } catch (error) {
        requireLearningError(error)
      }
      return {
        take: (stretch) => {
          try {
            reader?.take(stretch)
          } catch (error) {
            requireLearningError(error)
            reader = undefined
          }
        },
        end: (aggregate) => reader?.end(aggregate),
      }
    },
  }
}

function requireLearningError(error: unknown): void {
  if (!(error instanceof LearningError)) throw error
}
