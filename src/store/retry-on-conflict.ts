import { StoreError } from './store-error.ts'

/**
 * Runs a write once more when a concurrent one of the same row came first: the second run finds that row. For statements
 * that look before they insert, where a conflict can mean only this.
 */
export async function retryOnConflict<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (error instanceof StoreError && error.code === 'conflict') return await write()
    throw error
  }
}
