import { type OutputSubject, outputReading } from '../../src/learning/round-output.ts'

/** What a step without a model makes of sums that are there as a whole. */
export async function smallOutput(
  subject: Omit<OutputSubject, 'loadModel'>,
  sums: ReadonlyMap<string, Float64Array>,
  contributors: number,
): Promise<{ readonly name: string; readonly bytes: Uint8Array }> {
  const loadModel = () => Promise.reject(new Error('a step without a model asks for one'))
  const reader = await outputReading({ ...subject, loadModel }).begin(sums, contributors)
  const { name, pieces } = reader.end('')
  return { name, bytes: Buffer.concat(pieces) }
}
