/**
 * The one base of every error that Sluice throws on purpose. Each area (crypto, protocol, store, wire, holder, …)
 * derives one class with a closed union of codes, so that a caller can switch over them and the compiler sees a
 * forgotten case. A message says what is wrong *and what to do next*; it never holds a plaintext update, a key or a
 * share (docs/THREAT_MODEL.md).
 *
 * This file and `src/crypto` are importable from everywhere; see docs/ARCHITECTURE.md for the rest of the rule.
 */
export class SluiceError<Code extends string = string> extends Error {
  /** Machine-readable, stable across releases, kebab-case. */
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }
}

/**
 * The answer to a question whose expected outcomes include "no": refusals are values, not exceptions, so that a caller
 * cannot forget them and a log line can name them.
 */
export type Verdict<T, Code extends string = string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: Code; readonly reason: string }

export function accepted<T>(value: T): Verdict<T, never> {
  return { ok: true, value }
}

export function refused<Code extends string>(code: Code, reason: string): Verdict<never, Code> {
  return { ok: false, code, reason }
}
