import { CryptoError } from '../crypto/crypto-error.ts'
import { type Digest, isDigest } from '../crypto/digest.ts'
import { payloadParameters } from '../crypto/payload-parameters.ts'
import { seededRandomness } from '../crypto/randomness.ts'
import { vectorLength } from '../protocol/segments.ts'
import { deriveSeed, simulationLayout } from './simulation.ts'
import { SimulationError } from './simulation-error.ts'

export interface SimulationOptions {
  /** Each an organisation of its own. */
  readonly holders: number
  /** Values of an update. */
  readonly weights: number
  readonly rounds: number
  readonly precisionBits: number
  readonly minContributors: number
  /** Probability, 0 to below 1, that a holder vanishes in a round before its set is sealed. */
  readonly dropOuts: number
  /** Holders that verify each published sum. */
  readonly verifiers: number
  /** 32 bytes, hexadecimal: updates, identities and drop-outs follow from it. */
  readonly seed: Digest
  /** Adds the same updates without protection, protocol or log. */
  readonly clear: boolean
}

/** Holders whose plan and candidates are statements within their limit of 4 MiB. */
const HOLDERS_MAX = 10_000
/** Sums take 8 bytes a weight, several times over. */
const WEIGHTS_MAX = 20_000_000
const ROUNDS_MAX = 10_000

/**
 * Refuses what cannot be simulated, before memory or disk is spent on it.
 * @throws SimulationError `option-invalid` naming the option
 */
export function checkSimulationOptions(options: SimulationOptions): void {
  const { holders, weights, precisionBits, minContributors, dropOuts, seed } = options
  requireWhole('holders', holders, 2, HOLDERS_MAX)
  requireWhole('weights', weights, 1, WEIGHTS_MAX)
  requireWhole('rounds', options.rounds, 1, ROUNDS_MAX)
  requireWhole('precision-bits', precisionBits, 1, 32)
  requireWhole('min-contributors', minContributors, 2, holders)
  requireWhole('verify', options.verifiers, 0, holders)
  if (!(dropOuts >= 0 && dropOuts < 1)) throw invalid('--drop-outs is a probability from 0 to below 1.')
  if (!isDigest(seed)) throw invalid('--seed is 32 bytes: 64 lowercase hexadecimal digits.')
  requireLanes(options)
  const expected = Math.floor(holders * (1 - dropOuts))
  if (expected < minContributors) {
    throw invalid(
      `About ${expected} of ${holders} holders stay, and --min-contributors is ${minContributors}: lower one of the two.`,
    )
  }
}

/** Whether the sum of so many values of so many bits fits a coefficient. */
function requireLanes({ holders, weights, precisionBits, seed }: SimulationOptions): void {
  const length = vectorLength(simulationLayout({ weights, precisionBits, seed }))
  try {
    payloadParameters({ precisionBits, maxContributors: holders, length })
  } catch (error) {
    if (error instanceof CryptoError) throw invalid(`--holders and --precision-bits: ${error.message}`)
    throw error
  }
}

function requireWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  throw invalid(`--${name} is a whole number from ${least} to ${most}.`)
}

function invalid(message: string): SimulationError {
  return new SimulationError('option-invalid', message)
}

/** `h-0001` and so on, in the order of names. */
export function holderNames(count: number): string[] {
  const digits = String(count).length
  return Array.from({ length: count }, (_, i) => `h-${String(i + 1).padStart(digits, '0')}`)
}

/** How a holder leaves a round: before a byte of its ciphertext has left, or with all of it uploaded and nothing signed. */
export type Vanishing = 'before-upload' | 'after-upload'

/** Who vanishes in a round; follows from the seed. */
export function drawDropOuts(
  { dropOuts, seed }: Pick<SimulationOptions, 'dropOuts' | 'seed'>,
  names: readonly string[],
  round: number,
): ReadonlyMap<string, Vanishing> {
  const words = new Uint32Array(names.length)
  seededRandomness(deriveSeed(seed, 'drop-outs', round)).fill(new Uint8Array(words.buffer))
  const vanishing = new Map<string, Vanishing>()
  for (const [i, name] of names.entries()) {
    // The lowest bit does not decide whether, so it may decide how.
    if (words[i] < dropOuts * 2 ** 32) vanishing.set(name, words[i] % 2 === 0 ? 'before-upload' : 'after-upload')
  }
  return vanishing
}
