import { SeededStream } from '../../src/learning/seeded-stream.ts'
import type { Examples } from '../../src/learning/trainer.ts'

/** A seed for tests: 32 equal bytes. */
export function seedOf(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte)
}

/** Points in [−1, 1]^width whose class says whether the first coordinate exceeds the product of the next two. */
export function tabularExamples(exampleCount: number, width: number, seed = seedOf(1)): Examples {
  const stream = new SeededStream(seed, 'tabular examples')
  const features = Float32Array.from({ length: exampleCount * width }, () => 2 * stream.unit() - 1)
  const labels = Float32Array.from({ length: exampleCount }, (_, row) => {
    const [a, b, c] = features.subarray(row * width)
    return Number(a > b * c)
  })
  return { features, labels, exampleCount }
}

/** Noisy 8×8 images of bright bars at four possible places: class 0 horizontal, 1 vertical, 2 both. */
export function barImages(exampleCount: number, seed = seedOf(2)): Examples {
  const stream = new SeededStream(seed, 'bar images')
  const features = new Float32Array(exampleCount * 64)
  const labels = new Float32Array(exampleCount)
  for (let image = 0; image < exampleCount; image++) {
    const label = stream.below(3)
    const [barRow, barColumn] = [2 * stream.below(4), 2 * stream.below(4)]
    for (let pixel = 0; pixel < 64; pixel++) {
      const inRow = label !== 1 && Math.floor(pixel / 8) === barRow
      const inColumn = label !== 0 && pixel % 8 === barColumn
      features[image * 64 + pixel] = Number(inRow || inColumn) + 0.3 * (stream.unit() - 0.5)
    }
    labels[image] = label
  }
  return { features, labels, exampleCount }
}
