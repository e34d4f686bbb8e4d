/**
 * Cross-entropy of a batch and its slope, from logits. All in float64, so that every backend shares the one stable
 * formula; inputs and outputs are float32.
 */
export interface CrossEntropy {
  /** Sum (not mean) of the losses of the batch, in nats. */
  readonly lossSum: number
  /** Probabilities, as long as the logits. */
  readonly scores: Float32Array
  /** d(sum of losses)/d(logits) = scores − targets, as long as the logits. */
  readonly slope: Float32Array
}

/**
 * Sigmoid and binary cross-entropy: loss(z, y) = max(z, 0) − z·y + ln(1 + e^−|z|), which never overflows.
 * @param logits one per example
 * @param labels 0 or 1, one per example
 */
export function binaryCrossEntropy(logits: Float32Array, labels: Float32Array): CrossEntropy {
  const scores = new Float32Array(logits.length)
  const slope = new Float32Array(logits.length)
  let lossSum = 0
  for (let example = 0; example < logits.length; example++) {
    const logit = logits[example]
    const label = labels[example]
    const small = Math.exp(-Math.abs(logit))
    const score = logit >= 0 ? 1 / (1 + small) : small / (1 + small)
    lossSum += Math.max(logit, 0) - logit * label + Math.log1p(small)
    scores[example] = score
    slope[example] = score - label
  }
  return { lossSum, scores, slope }
}

/**
 * Softmax and categorical cross-entropy, with the row's maximum taken out before exponentiation.
 * @param logits row-major, `labels.length` × classes
 * @param labels class index, one per example
 */
export function categoricalCrossEntropy(logits: Float32Array, labels: Float32Array): CrossEntropy {
  const classes = logits.length / labels.length
  const scores = new Float32Array(logits.length)
  const slope = new Float32Array(logits.length)
  let lossSum = 0
  for (let example = 0; example < labels.length; example++) {
    const row = example * classes
    let largest = logits[row]
    for (let index = row + 1; index < row + classes; index++) largest = Math.max(largest, logits[index])
    let total = 0
    for (let index = row; index < row + classes; index++) total += Math.exp(logits[index] - largest)
    for (let index = row; index < row + classes; index++) {
      const score = Math.exp(logits[index] - largest) / total
      scores[index] = score
      slope[index] = score
    }
    const target = row + labels[example]
    slope[target] = Math.exp(logits[target] - largest) / total - 1
    lossSum += Math.log(total) + largest - logits[target]
  }
  return { lossSum, scores, slope }
}
