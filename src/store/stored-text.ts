import { decodeEnvelope, type Envelope } from '../crypto/envelope.ts'
import { StoreError } from './store-error.ts'

/**
 * A stored DSSE document as an envelope.
 * @param what names the row, for the message.
 * @throws StoreError `corrupt`
 */
export function readStoredEnvelope(text: string, what: string): Envelope {
  try {
    return decodeEnvelope(text)
  } catch (cause) {
    throw new StoreError('corrupt', `${what} holds no DSSE envelope any more: restore the database from a copy.`, {
      cause,
    })
  }
}

/** A reason for people, as a text column takes it: a holder may have put a NUL into its message, PostgreSQL has none. */
export function storableReason(reason: string | undefined): string | null {
  return reason === undefined ? null : reason.replaceAll('\0', '\uFFFD')
}
