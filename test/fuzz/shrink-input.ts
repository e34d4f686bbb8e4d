/** A finding is told within this, small or not. */
const SHRINK_MS_MAX = 1000

/**
 * Leaves out what the finding does not need: pieces of halving size, as long as `stillFound` (delta debugging, without its
 * complements).
 */
export async function shrinkInput(
  input: Uint8Array,
  stillFound: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  const endMs = performance.now() + SHRINK_MS_MAX
  let smallest = input
  for (let piece = Math.ceil(input.length / 2); piece >= 1; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
    for (let at = 0; at < smallest.length; ) {
      if (performance.now() > endMs) return smallest
      const candidate = new Uint8Array(Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + piece)]))
      if (await stillFound(candidate)) smallest = candidate
      else at += piece
    }
  }
  return smallest
}
