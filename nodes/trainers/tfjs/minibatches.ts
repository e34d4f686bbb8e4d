import type { SeededStream } from '../../../src/learning/seeded-stream.ts'
import type { Examples } from '../../../src/learning/trainer.ts'
import type { Batch } from './model-passes.ts'

/** The examples' indices in a new random order each epoch. */
export function shuffledOrder(exampleCount: number, stream: SeededStream): () => Uint32Array {
  const order = Uint32Array.from({ length: exampleCount }, (_, index) => index)
  return () => {
    stream.shuffle(order)
    return order
  }
}

/** Copies the examples of those indices side by side. */
export function gather(examples: Examples, indices: Uint32Array): Batch {
  const width = examples.features.length / examples.exampleCount
  const features = new Float32Array(indices.length * width)
  const labels = new Float32Array(indices.length)
  for (const [row, index] of indices.entries()) {
    features.set(examples.features.subarray(index * width, (index + 1) * width), row * width)
    labels[row] = examples.labels[index]
  }
  return { features, labels }
}

/** [start, end) of consecutive slices of at most `size`. */
export function* slices(count: number, size: number): Generator<readonly [number, number]> {
  for (let start = 0; start < count; start += size) yield [start, Math.min(count, start + size)]
}
