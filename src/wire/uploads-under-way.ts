import { PART_CHUNKS } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import { limits } from './limits.ts'
import { WireError } from './wire-error.ts'

/** Every cut costs what had come of a part and was not durable yet; so many are nobody's bad will. */
const CUT_PARTS = 16
/** Rounds of one holder whose bytes are counted; those before are over. */
const COUNTED_ROUNDS = 16

/** What one upload has of its holder's limits. Let go by `end`. */
export interface UploadTurn {
  /** Fires when the holder has begun this upload again: a line that is cut one way only is noticed late. */
  readonly signal: AbortSignal
  /** Counts bytes that have come. @throws WireError `upload-allowance-used` */
  count(bytes: number): void
  end(): void
}

interface UnderWay {
  readonly controller: AbortController
  readonly ended: Promise<void>
}

/**
 * Limits of uploads, for an identity and not a connection: one at a time to a plan, few at a time in all, and no more bytes
 * to a plan than its ciphertext twice, and what a number of cuts may have cost.
 */
export class UploadsUnderWay {
  /** By holder, then plan. */
  readonly #underWay = new Map<string, Map<Digest, UnderWay>>()
  /** Bytes that came, by holder, then plan. */
  readonly #received = new Map<string, Map<Digest, number>>()

  /**
   * Takes the turn of this holder's upload to this plan; an earlier one of the same is ended, and has let go of the spool
   * when this resolves.
   * @throws WireError `too-many-uploads`, `connection-lost` when a later one has come meanwhile
   */
  async begin(planDigest: Digest, holder: string, parameters: PayloadParameters): Promise<UploadTurn> {
    const ofHolder = entry(this.#underWay, holder, () => new Map<Digest, UnderWay>())
    const earlier = ofHolder.get(planDigest)
    if (!earlier && ofHolder.size >= limits.uploadsPerHolder) {
      throw new WireError(
        'too-many-uploads',
        `${holder} uploads to ${limits.uploadsPerHolder} rounds already: wait until one of them has ended.`,
      )
    }
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const controller = new AbortController()
    const mine = { controller, ended }
    ofHolder.set(planDigest, mine)
    earlier?.controller.abort(new WireError('connection-lost', 'This upload was begun again.'))
    await earlier?.ended
    const turn: UploadTurn = {
      signal: controller.signal,
      count: (bytes) => this.#count(planDigest, holder, parameters, bytes),
      end: () => {
        end()
        if (ofHolder.get(planDigest) === mine) ofHolder.delete(planDigest)
        if (ofHolder.size === 0) this.#underWay.delete(holder)
      },
    }
    if (!controller.signal.aborted) return turn
    turn.end()
    throw controller.signal.reason
  }

  #count(planDigest: Digest, holder: string, parameters: PayloadParameters, bytes: number): void {
    const ofHolder = entry(this.#received, holder, () => new Map<Digest, number>())
    const received = (ofHolder.get(planDigest) ?? 0) + bytes
    ofHolder.set(planDigest, received)
    for (const oldest of [...ofHolder.keys()].slice(0, -COUNTED_ROUNDS)) ofHolder.delete(oldest)
    if (received <= allowance(parameters)) return
    throw new WireError(
      'upload-allowance-used',
      `${holder} has sent ${received} bytes to a plan that wants ${parameters.ciphertextBytes}: no more is taken.`,
    )
  }
}

function allowance(parameters: PayloadParameters): number {
  return 2 * parameters.ciphertextBytes + CUT_PARTS * PART_CHUNKS * chunkGeometry(parameters, 0).bytes
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key) ?? make()
  map.set(key, value)
  return value
}
