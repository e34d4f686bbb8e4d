/**
 * Works on the indices below `count`, at most `ahead` of them at a time, and gives the results in order: a slow consumer holds
 * back the work. When one fails, or the consumer leaves, no further work is begun; what was begun has ended when this returns.
 */
export async function* inOrder<T>(
  count: number,
  ahead: number,
  work: (index: number) => Promise<T>,
): AsyncGenerator<T, void, void> {
  const underWay: Promise<T>[] = []
  try {
    for (let next = 0; next < count || underWay.length > 0; ) {
      while (next < count && underWay.length < ahead) {
        const begun = work(next++)
        // Met in its turn; when an earlier one fails, nobody awaits it any more.
        begun.catch(() => undefined)
        underWay.push(begun)
      }
      yield await underWay.shift()!
    }
  } finally {
    await Promise.allSettled(underWay)
  }
}
