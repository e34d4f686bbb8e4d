import { StoreError } from './store-error.ts'

/**
 * Runs a write once more when a concurrent one of the same row came first: the second run finds that row. For statements
 * that look before they insert, where a conflict can mean only this.
 * @param rows how many the write inserts after looking for each: every conflict is of another one
 */
export async function retryOnConflict<T>(write: () => Promise<T>, rows = 1): Promise<T> {
  for (let conflicts = 0; ; conflicts++) {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'conflict') || conflicts >= rows) throw error
    }
  }
}
