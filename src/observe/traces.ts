import { AsyncLocalStorage } from 'node:async_hooks'
import { type Context, ROOT_CONTEXT, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import { SluiceError } from '../sluice-error.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

/**
 * All that a span can say: names, sizes, codes. Closed, so that whoever adds one thinks of what it says; no text of a peer's or an
 * error's making is among them but a code.
 */
export interface SpanAttributes {
  readonly 'sluice.job'?: string
  readonly 'sluice.round'?: number
  readonly 'sluice.step'?: string
  /** The first 16 hexadecimal digits of the plan's digest, as in logs. */
  readonly 'sluice.plan'?: string
  readonly 'sluice.holder'?: string
  readonly 'sluice.cohort'?: number
  readonly 'sluice.contributors'?: number
  readonly 'sluice.ciphertext_bytes'?: number
  /** Why it ended as it did: the code of a refusal or an error. */
  readonly 'sluice.code'?: string
}

/** Spans of this process, and where they hang together with those of others. */
export interface Traces {
  /**
   * Runs `work` in a span, which is the current one through every await of it. A rejection marks the span with its code and
   * passes through.
   * @param traceparent of another process's span to hang under; otherwise it is the current span, or a new trace
   */
  span<T>(name: string, attributes: SpanAttributes, work: () => Promise<T>, traceparent?: string): Promise<T>
  /** A span under the current one that ends when the answer is called; for work that overlaps with other work. */
  begin(name: string, attributes?: SpanAttributes): () => void
  /** Adds to the current span. */
  annotate(attributes: SpanAttributes): void
  /** Notes a moment in the current span. */
  event(name: string, attributes: SpanAttributes): void
  /** The current span, for another process to hang its own under; undefined when nothing is recorded. */
  traceparent(): string | undefined
  /** Exports what has ended, and gives up after a few seconds. Never rejects. */
  close(): Promise<void>
}

/** Nothing is recorded. */
export const NO_TRACES: Traces = {
  span: (_name, _attributes, work) => work(),
  begin: () => () => {},
  annotate: () => {},
  event: () => {},
  traceparent: () => undefined,
  close: async () => {},
}

export interface TracesOptions {
  /** Where OTLP over HTTP is taken, with its path: `http://127.0.0.1:4318/v1/traces`. */
  readonly endpoint: string
  /** `sluice-coordinator` or `sluice-holder`. */
  readonly service: string
  /** The venue, or the holder's name. */
  readonly instance: string
  /** Of this software. */
  readonly version: string
  /** Told once of each run of failures, and of the end of it. */
  readonly onExport: (worked: boolean) => void
}

const EXPORT_TIMEOUT_MS = 5000
const EXPORT_DELAY_MS = 1000

/**
 * Traces that are exported by OTLP. The resource says what is told here and nothing more: OpenTelemetry's detectors would add
 * host, user and command line. Headers for the collector come from `OTEL_EXPORTER_OTLP_HEADERS`.
 */
export function openTraces({ endpoint, service, instance, version, onExport }: TracesOptions): Traces {
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_TIMEOUT_MS })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': service,
      'service.instance.id': instance,
      'service.version': version,
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: tellingOfFailures(exporter, onExport),
        scheduledDelayMillis: EXPORT_DELAY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  })
  return new RecordedTraces(provider)
}

/** Spans that cannot be exported are dropped; an operator should know, and not once a second. */
function tellingOfFailures(exporter: SpanExporter, onExport: (worked: boolean) => void): SpanExporter {
  let worked = true
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        // 0 is ExportResultCode.SUCCESS of @opentelemetry/core.
        const works = result.code === 0
        if (works !== worked) onExport(works)
        worked = works
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  }
}

class RecordedTraces implements Traces {
  readonly #provider: TracerProvider
  readonly #tracer: Tracer
  readonly #current = new AsyncLocalStorage<Span>()

  constructor(provider: TracerProvider) {
    this.#provider = provider
    this.#tracer = provider.getTracer('sluice')
  }

  async span<T>(name: string, attributes: SpanAttributes, work: () => Promise<T>, traceparent?: string): Promise<T> {
    const span = this.#tracer.startSpan(name, { attributes: { ...attributes } }, this.#parent(traceparent))
    try {
      return await this.#current.run(span, work)
    } catch (error) {
      // The code alone: a message may name files, columns, peers.
      span.setAttribute('sluice.code', error instanceof SluiceError ? error.code : 'fault')
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  }

  #parent(traceparent?: string): Context {
    const remote = parseTraceparent(traceparent)
    if (remote) return trace.setSpanContext(ROOT_CONTEXT, remote)
    const current = this.#current.getStore()
    return current ? trace.setSpan(ROOT_CONTEXT, current) : ROOT_CONTEXT
  }

  begin(name: string, attributes: SpanAttributes = {}): () => void {
    const span = this.#tracer.startSpan(name, { attributes: { ...attributes } }, this.#parent())
    return () => span.end()
  }

  annotate(attributes: SpanAttributes): void {
    this.#current.getStore()?.setAttributes({ ...attributes })
  }

  event(name: string, attributes: SpanAttributes): void {
    this.#current.getStore()?.addEvent(name, { ...attributes })
  }

  traceparent(): string | undefined {
    const span = this.#current.getStore()
    return span && formatTraceparent(span.spanContext())
  }

  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined)
  }
}
