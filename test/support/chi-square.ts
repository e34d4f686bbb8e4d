/** Pearson's statistic of counts against equal expectation. */
export function chiSquare(counts: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < counts.length; i++) total += counts[i]
  const expected = total / counts.length
  let sum = 0
  for (let i = 0; i < counts.length; i++) sum += (counts[i] - expected) ** 2 / expected
  return sum
}

/**
 * What the statistic stays below with probability 1 − 1e-6 when the counts are uniform over `cells` cells; by Wilson and
 * Hilferty (1931), good to a few per cent.
 */
export function chiSquareLimit(cells: number): number {
  const freedom = cells - 1
  const deviations = 4.753
  return freedom * (1 - 2 / (9 * freedom) + deviations * Math.sqrt(2 / (9 * freedom))) ** 3
}
