import { toHex } from '../../src/crypto/digest.ts'
import type { TestLog } from './test-log.ts'

/** The latest tree of a log: what an honest plan is made after. */
export async function planHead(log: TestLog) {
  const { size, root } = await log.head()
  return { size, root: toHex(root) }
}
