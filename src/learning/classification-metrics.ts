import { firstNotFinite } from './finite.ts'
import { LearningError } from './learning-error.ts'

/** Scores of the two classes, counted in B equal bins over [0, 1]; sums of them over holders are again histograms. */
export interface ScoreHistograms {
  /** Examples of class 1 by bin of their score, lowest first. */
  readonly positives: ArrayLike<number>
  /** Examples of class 0. As many bins. */
  readonly negatives: ArrayLike<number>
}

/** A metric computed from histograms: the exact value lies within `value ± errorBound`. */
export interface BinnedMetric {
  readonly value: number
  readonly errorBound: number
}

/** Probabilities below this count as this in `logLoss`, so that one sure mistake does not make the mean infinite. */
export const LOG_LOSS_FLOOR = 1e-7

/**
 * Share of examples whose class is predicted: score ≥ 1/2 means class 1 for one score an example; otherwise the largest
 * score of the row, the first of equals.
 * @param scores probabilities, row-major, `labels.length` × scores per example
 * @param labels 0/1 or class index; at least one
 * @throws LearningError `metrics-input-invalid`
 */
export function accuracy(scores: Float32Array, labels: Float32Array): number {
  const width = scoresPerLabel(scores, labels)
  let correct = 0
  for (let example = 0; example < labels.length; example++) {
    if (predictedClass(scores, width, example) === labels[example]) correct++
  }
  return correct / labels.length
}

/**
 * Mean of −ln(probability given to the true class), probabilities floored at `LOG_LOSS_FLOOR`, in nats.
 * Parameters and errors as `accuracy`.
 */
export function logLoss(scores: Float32Array, labels: Float32Array): number {
  const width = scoresPerLabel(scores, labels)
  let sum = 0
  for (let example = 0; example < labels.length; example++) {
    const label = labels[example]
    const given = width > 1 ? scores[example * width + label] : label === 1 ? scores[example] : 1 - scores[example]
    sum -= Math.log(Math.max(given, LOG_LOSS_FLOOR))
  }
  return sum / labels.length
}

/**
 * Exact area under the ROC curve: the share of (positive, negative) pairs that the scores order rightly, ties counting
 * 1/2 (Mann–Whitney U over ranks).
 * @param scores one per example, any finite numbers
 * @param labels 0 or 1
 * @returns null when a class has no example: then no pair exists
 * @throws LearningError `metrics-input-invalid`
 */
export function auc(scores: Float32Array, labels: Float32Array): number | null {
  if (scoresPerLabel(scores, labels) !== 1) invalid('the AUC takes one score an example')
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[a] - scores[b])
  let positivesBelow = 0
  let negativesBelow = 0
  let pairsInOrder = 0
  for (let start = 0; start < order.length; ) {
    let positives = 0
    let end = start
    for (; end < order.length && scores[order[end]] === scores[order[start]]; end++) positives += labels[order[end]]
    const negatives = end - start - positives
    pairsInOrder += positives * (negativesBelow + negatives / 2)
    positivesBelow += positives
    negativesBelow += negatives
    start = end
  }
  return positivesBelow && negativesBelow ? pairsInOrder / (positivesBelow * negativesBelow) : null
}

/**
 * Counts a holder's scores by class. The histograms are the holder's plaintext; only their protected sum leaves it.
 * @param scores probabilities in [0, 1], one per example
 * @param labels 0 or 1
 * @param bins B ≥ 1; bin b takes scores in [b/B, (b+1)/B), the last one also 1
 * @throws LearningError `metrics-input-invalid`
 */
export function scoreHistograms(
  scores: Float32Array,
  labels: Float32Array,
  bins: number,
): { positives: Uint32Array; negatives: Uint32Array } {
  if (!Number.isSafeInteger(bins) || bins < 1) invalid('the number of bins must be a positive integer')
  if (scoresPerLabel(scores, labels) !== 1) invalid('score histograms take one score an example')
  const positives = new Uint32Array(bins)
  const negatives = new Uint32Array(bins)
  for (const [example, score] of scores.entries()) {
    if (!(score >= 0 && score <= 1)) invalid(`score ${example} is not a probability`)
    const counts = labels[example] === 1 ? positives : negatives
    counts[Math.min(bins - 1, Math.floor(score * bins))]++
  }
  return { positives, negatives }
}

/**
 * AUC from histograms. Pairs in different bins are ordered for certain; a pair within one bin counts 1/2 and is really
 * worth 0, 1/2 or 1, so the error is at most Σ_b P_b·N_b / (2·P·N): for a calibrated model about 1/(2B).
 * @returns null when a class has no example
 * @throws LearningError `metrics-input-invalid` for histograms of unequal length, negative or non-finite counts
 */
export function aucFromHistograms(histograms: ScoreHistograms): BinnedMetric | null {
  checkHistograms(histograms)
  const { positives, negatives } = histograms
  let positivesTotal = 0
  let negativesBelow = 0
  let pairsInOrder = 0
  let pairsInOneBin = 0
  for (let bin = 0; bin < positives.length; bin++) {
    pairsInOrder += positives[bin] * (negativesBelow + negatives[bin] / 2)
    pairsInOneBin += positives[bin] * negatives[bin]
    positivesTotal += positives[bin]
    negativesBelow += negatives[bin]
  }
  const pairs = positivesTotal * negativesBelow
  return pairs > 0 ? { value: pairsInOrder / pairs, errorBound: pairsInOneBin / 2 / pairs } : null
}

/**
 * Accuracy at threshold 1/2 from histograms. With an even number of bins 1/2 is an edge and the value is exact
 * (`errorBound` 0); with an odd number the middle bin counts half, and the bound is half its share.
 * @returns null when there is no example
 * @throws LearningError `metrics-input-invalid` as `aucFromHistograms`
 */
export function accuracyFromHistograms(histograms: ScoreHistograms): BinnedMetric | null {
  checkHistograms(histograms)
  const { positives, negatives } = histograms
  const bins = positives.length
  let total = 0
  let correct = 0
  let uncertain = 0
  for (let bin = 0; bin < bins; bin++) {
    total += positives[bin] + negatives[bin]
    if (2 * bin >= bins) correct += positives[bin]
    else if (2 * bin + 2 <= bins) correct += negatives[bin]
    else uncertain += positives[bin] + negatives[bin]
  }
  return total > 0 ? { value: (correct + uncertain / 2) / total, errorBound: uncertain / 2 / total } : null
}

function checkHistograms({ positives, negatives }: ScoreHistograms): void {
  if (positives.length !== negatives.length || positives.length === 0) {
    invalid('both histograms need the same number of bins, at least 1')
  }
  for (let bin = 0; bin < positives.length; bin++) {
    const usable = Number.isFinite(positives[bin]) && Number.isFinite(negatives[bin])
    if (!usable || positives[bin] < 0 || negatives[bin] < 0) {
      invalid(`bin ${bin} holds a count that is negative or not finite: clamp noisy counts at 0 first`)
    }
  }
}

function predictedClass(scores: Float32Array, width: number, example: number): number {
  if (width === 1) return Number(scores[example] >= 0.5)
  const row = example * width
  let best = 0
  for (let index = 1; index < width; index++) if (scores[row + index] > scores[row + best]) best = index
  return best
}

/** Checks lengths, labels and scores. */
function scoresPerLabel(scores: Float32Array, labels: Float32Array): number {
  const width = scores.length / labels.length
  if (!Number.isInteger(width) || width < 1) {
    invalid(`${labels.length} labels and ${scores.length} scores do not fit: give at least one example`)
  }
  const classes = Math.max(width, 2)
  const wrong = labels.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= classes)
  if (wrong >= 0) invalid(`the label of example ${wrong} must be an integer from 0 to ${classes - 1}`)
  const bad = firstNotFinite(scores)
  if (bad >= 0) invalid(`score ${bad} is not finite`)
  return width
}

function invalid(message: string): never {
  throw new LearningError('metrics-input-invalid', message)
}
