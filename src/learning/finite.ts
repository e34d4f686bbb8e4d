/** Index of the first NaN or infinity, −1 when there is none. */
export function firstNotFinite(values: Float32Array): number {
  // A sum is not finite when a term is not: one cheap pass in the usual case; the search runs only on suspicion.
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += values[index]
  return Number.isFinite(sum) ? -1 : values.findIndex((value) => !Number.isFinite(value))
}
