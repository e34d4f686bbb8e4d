import { SluiceError } from '../../src/sluice-error.ts'
import { type FuzzTarget, target } from './fuzz-target.ts'

const VALID = new Uint8Array(Buffer.from('{"length":3,"values":[1,2,3]}'))

function read(bytes: Uint8Array): { length: number; values: number[] } {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof value?.length === 'number' && Array.isArray(value.values)) return value
  } catch {
    // Refused below, as what lacks a member is.
  }
  throw new SluiceError('malformed', 'Not a vector: send it again.')
}

/** Decoders with one fault each, of those that the suite is there to find; and one without. */
export async function allTargets(): Promise<FuzzTarget[]> {
  const corpus = [VALID]
  return [
    target({
      name: 'hang',
      corpus,
      decode: (bytes) => {
        for (let i = read(bytes).length; i !== 0; ) i = i === 3 ? 0 : i
      },
    }),
    target({ name: 'sound', corpus, decode: read }),
    target({ name: 'unnamed-error', corpus, decode: (bytes) => read(bytes).values.map((value) => value.toFixed()) }),
    target({
      name: 'unusable-refusal',
      corpus,
      decode: (bytes) => {
        if (bytes.length > 100)
          throw new SluiceError('malformed', `Not a vector: ${Buffer.from(bytes).toString('hex').repeat(50)}`)
        return read(bytes)
      },
    }),
    target({
      name: 'allocation-above-limit',
      corpus,
      allocation: { fixedBytes: 64 * 1024, perInputByte: 64 },
      // A length believed; the memory is dropped at once, so that only what was asked for tells.
      decode: (bytes) => {
        const { length } = read(bytes)
        if (length >= 0) new Float64Array(Math.min(Math.floor(length), 2 ** 20)).fill(1)
      },
    }),
    target({
      name: 'round-trip',
      corpus,
      decode: read,
      encode: (value) => new Uint8Array(Buffer.from(JSON.stringify(value))),
      roundTrip: 'bytes',
    }),
  ]
}
