import { isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api'

/*
 * The `traceparent` of W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header), version 00:
 * version, trace-id, parent-id and flags in lowercase hexadecimal.
 */

const FORM = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

/** @returns undefined for what is of another form: whoever reads begins a trace of its own, and nothing else changes. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = FORM.exec(text ?? '') ?? []
  if (!traceId) return undefined
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED
  const context = { traceId, spanId, traceFlags, isRemote: true }
  return isSpanContextValid(context) ? context : undefined
}
