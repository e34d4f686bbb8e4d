import { SluiceError } from '../../src/sluice-error.ts'
import type { AllocationMeter } from './allocation-meter.ts'
import { DEFAULT_ALLOCATION, type FuzzTarget, RefusedByGrpc } from './fuzz-target.ts'

/** What an input did that no input may do. */
export type FindingKind =
  /** Something else than a named error was thrown. */
  | 'unnamed-error'
  /** A named error or refusal without a code, or with a message as long as what it complains of. */
  | 'unusable-refusal'
  | 'allocation-above-limit'
  | 'too-slow'
  /** What decoded does not encode to the same again. */
  | 'round-trip'
  // of the worker, seen from outside
  | 'hang'
  | 'out-of-memory'
  | 'worker-died'

export interface Finding {
  readonly target: string
  readonly kind: FindingKind
  readonly what: string
  readonly input: Uint8Array
}

/** What an input came to. Two inputs with one outcome took one path, as far as can be seen from outside. */
export interface Judgement {
  readonly outcome: string
  readonly accepted: boolean
  readonly finding?: Pick<Finding, 'kind' | 'what'>
}

/** One input of at most a mebibyte. Generous: machines are shared, and a collection may fall into it. */
export const INPUT_TIME_MAX_MS = 2000
/** A refusal ends in logs, in statuses of gRPC and on terminals. */
const REASON_CHARACTERS_MAX = 8 * 1024
const CODE_FORM = /^[a-z][a-z-]{0,63}$/

/** Gives an input to a decoder and holds what happens against what decoders promise. */
export async function judgeInput(target: FuzzTarget, bytes: Uint8Array, meter: AllocationMeter): Promise<Judgement> {
  // Bytes of their own: a decoder that writes into its input must not change the corpus.
  const input = new Uint8Array(bytes)
  const startedMs = performance.now()
  meter.start()
  const result = await attempt(target, input)
  const allocated = meter.stop()
  const elapsedMs = performance.now() - startedMs
  const judged = 'thrown' in result ? judgeThrown(result.thrown) : judgeValue(result.value)
  const { fixedBytes, perInputByte } = target.allocation ?? DEFAULT_ALLOCATION
  const limit = fixedBytes + perInputByte * bytes.length
  const finding: Judgement['finding'] =
    allocated > limit
      ? { kind: 'allocation-above-limit', what: `${allocated} bytes, over ${limit}` }
      : elapsedMs > INPUT_TIME_MAX_MS
        ? { kind: 'too-slow', what: `${Math.round(elapsedMs)} ms` }
        : (judged.finding ??
          (judged.accepted && 'value' in result
            ? await judgeRoundTrip(target, bytes, acceptedValue(result.value))
            : undefined))
  return { ...judged, finding }
}

type Result = { readonly value: unknown } | { readonly thrown: unknown }

async function attempt(target: FuzzTarget, input: Uint8Array): Promise<Result> {
  try {
    const value = target.decode(input)
    return { value: value instanceof Promise ? await value : value }
  } catch (thrown) {
    return { thrown }
  }
}

function judgeThrown(thrown: unknown): Judgement {
  if (thrown instanceof RefusedByGrpc) return { outcome: `grpc: ${pattern(thrown.message)}`, accepted: false }
  if (thrown instanceof SluiceError) return judgeRefusal(thrown.code, thrown.message)
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}\n${thrown.stack}` : String(thrown)
  return { outcome: 'unnamed', accepted: false, finding: { kind: 'unnamed-error', what: what.slice(0, 2000) } }
}

function judgeValue(value: unknown): Judgement {
  if (!isVerdict(value) || value.ok) return { outcome: 'accepted', accepted: true }
  return judgeRefusal(value.code, value.reason)
}

function judgeRefusal(code: string, reason: string): Judgement {
  const usable = CODE_FORM.test(code) && reason.length > 0 && reason.length <= REASON_CHARACTERS_MAX
  const outcome = `${code}: ${pattern(reason)}`
  if (usable) return { outcome, accepted: false }
  const what = `code ${JSON.stringify(code).slice(0, 80)}, a reason of ${reason.length} characters: ${reason.slice(0, 200)}`
  return { outcome, accepted: false, finding: { kind: 'unusable-refusal', what } }
}

async function judgeRoundTrip(target: FuzzTarget, bytes: Uint8Array, value: unknown): Promise<Judgement['finding']> {
  if (!target.encode || !target.roundTrip) return undefined
  const again = attemptEncode(target.encode, value)
  if (!(again instanceof Uint8Array)) return { kind: 'round-trip', what: `what decoded is not encodable: ${again}` }
  if (target.roundTrip === 'bytes') {
    return Buffer.compare(again, bytes) === 0
      ? undefined
      : { kind: 'round-trip', what: describeDifference(bytes, again) }
  }
  const result = await attempt(target, new Uint8Array(again))
  if ('thrown' in result) return { kind: 'round-trip', what: `what was encoded again is refused: ${result.thrown}` }
  if (isVerdict(result.value) && !result.value.ok) {
    return { kind: 'round-trip', what: `what was encoded again is refused: ${result.value.reason}` }
  }
  const third = attemptEncode(target.encode, acceptedValue(result.value))
  if (third instanceof Uint8Array && Buffer.compare(again, third) === 0) return undefined
  return { kind: 'round-trip', what: third instanceof Uint8Array ? describeDifference(again, third) : String(third) }
}

function attemptEncode(encode: NonNullable<FuzzTarget['encode']>, value: unknown): Uint8Array | string {
  try {
    return encode(value as never)
  } catch (error) {
    return String(error)
  }
}

function isVerdict(
  value: unknown,
): value is { ok: true; value: unknown } | { ok: false; code: string; reason: string } {
  return typeof value === 'object' && value !== null && 'ok' in value && typeof value.ok === 'boolean'
}

function acceptedValue(value: unknown): unknown {
  return isVerdict(value) && value.ok ? value.value : value
}

function describeDifference(before: Uint8Array, after: Uint8Array): string {
  let at = 0
  while (at < before.length && before[at] === after[at]) at++
  const show = (bytes: Uint8Array) =>
    JSON.stringify(Buffer.from(bytes.subarray(Math.max(0, at - 20), at + 40)).toString())
  return `${before.length} bytes became ${after.length}; first difference at ${at}: ${show(before)} became ${show(after)}`
}

/** A message without what varies from input to input. */
function pattern(message: string): string {
  return message.slice(0, 80).replaceAll(/[^A-Za-z ]+/g, '#')
}
