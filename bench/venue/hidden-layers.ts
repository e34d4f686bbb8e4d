/** The widest layer that a preset takes. */
const WIDEST = 4096

/** Hidden layers of a perceptron of about so many weights: equal ones, as few as there can be, two at least. */
export function hiddenLayers(weights: number): number[] {
  const layers = Math.max(2, Math.ceil(weights / WIDEST ** 2) + 1)
  return new Array<number>(layers).fill(Math.min(WIDEST, Math.round(Math.sqrt(weights / (layers - 1)))))
}
