import { createKeyAdditiveScheme, KEY_ADDITIVE_RLWE } from './key-additive-scheme.ts'
import type { PayloadScheme } from './payload-scheme.ts'

/** Every scheme there is, by the name that a plan gives. A new one is registered here. */
const SCHEMES = { [KEY_ADDITIVE_RLWE]: () => createKeyAdditiveScheme() }

export type PayloadSchemeName = keyof typeof SCHEMES

/**
 * Loads a payload scheme, with the library that it needs (about 20 ms).
 *
 * @throws CryptoError `ring-unavailable` | `platform-unsupported`
 */
export function createPayloadScheme(name: PayloadSchemeName = KEY_ADDITIVE_RLWE): Promise<PayloadScheme> {
  return SCHEMES[name]()
}
