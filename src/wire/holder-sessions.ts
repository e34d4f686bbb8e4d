import { randomUUID } from 'node:crypto'
import type { HolderDirectory, HolderRefusal, PayloadSpool, ReceivedReply } from '../coordinator/ports.ts'
import { statementDigest } from '../crypto/envelope.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import { accepted, refused, SluiceError, type Verdict } from '../sluice-error.ts'
import { requestToWire } from './codec.ts'
import type { Request as ProtoRequest } from './generated/sluice/v1/Request.ts'

/** The sending half of one holder's Attend stream. */
export interface HolderSession {
  send(request: ProtoRequest): void
  /** Ends the stream: the holder has dialled again, or the coordinator stops. */
  end(): void
}

interface PendingRequest {
  readonly holder: string
  readonly message: ProtoRequest
  /** Of a contribution that is asked for. */
  readonly planDigest?: string
  readonly settle: (verdict: Verdict<ReceivedReply, HolderRefusal>) => void
  graceTimer?: NodeJS.Timeout
}

/**
 * The connected holders, and the requests that wait for their replies. A request outlives the connection that carried
 * it: when the holder dials again within the grace, it is asked again, under the same id.
 */
export class HolderSessions implements HolderDirectory {
  readonly #sessions = new Map<string, HolderSession>()
  readonly #pending = new Map<string, PendingRequest>()
  readonly #listeners = new Set<() => void>()
  readonly #reconnectGraceMs: number
  readonly #spool: Pick<PayloadSpool, 'stat'>
  readonly #traceparent: () => string | undefined

  /**
   * @param spool where the ciphertext of a contribution lies before the contribution comes; whoever put it there
   * @param traceparent of the work that asks now, for those who trace: goes along with each request
   */
  constructor(
    reconnectGraceMs: number,
    spool: Pick<PayloadSpool, 'stat'>,
    traceparent: () => string | undefined = () => undefined,
  ) {
    this.#reconnectGraceMs = reconnectGraceMs
    this.#spool = spool
    this.#traceparent = traceparent
  }

  connected(): string[] {
    return [...this.#sessions.keys()].sort()
  }

  /** Calls `listener` whenever a holder connects or leaves. @returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  ask(holder: string, request: HolderRequest, signal: AbortSignal): Promise<Verdict<ReceivedReply, HolderRefusal>> {
    const requestId = randomUUID()
    return new Promise((resolve) => {
      const settle = (verdict: Verdict<ReceivedReply, HolderRefusal>) => {
        clearTimeout(pending.graceTimer)
        signal.removeEventListener('abort', onAbort)
        this.#pending.delete(requestId)
        resolve(verdict)
      }
      const onAbort = () => settle(refused('deadline-passed', `${holder} did not answer in time.`))
      const pending: PendingRequest = {
        holder,
        planDigest: contributedPlan(request),
        message: { ...requestToWire(requestId, request), traceparent: this.#traceparent() },
        settle,
      }
      this.#pending.set(requestId, pending)
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      const session = this.#sessions.get(holder)
      if (session) session.send(pending.message)
      else this.#startGrace(pending)
    })
  }

  #startGrace(pending: PendingRequest): void {
    clearTimeout(pending.graceTimer)
    pending.graceTimer = setTimeout(() => {
      pending.settle(refused('holder-unreachable', `${pending.holder} is not connected.`))
    }, this.#reconnectGraceMs)
  }

  /** A holder has dialled: it takes the place of an earlier stream of its own, and gets what waits for it. */
  open(holder: string, session: HolderSession): void {
    this.#sessions.get(holder)?.end()
    this.#sessions.set(holder, session)
    for (const pending of this.#pending.values()) {
      if (pending.holder !== holder) continue
      clearTimeout(pending.graceTimer)
      session.send(pending.message)
    }
    this.#notify()
  }

  /** A stream has ended. Nothing happens when the holder has dialled again meanwhile. */
  close(holder: string, session: HolderSession): void {
    if (this.#sessions.get(holder) !== session) return
    this.#sessions.delete(holder)
    for (const pending of this.#pending.values()) if (pending.holder === holder) this.#startGrace(pending)
    this.#notify()
  }

  /** Ends the stream of a holder that is to be here no longer. It may dial again; whether it gets in is not decided here. */
  end(holder: string): void {
    const session = this.#sessions.get(holder)
    if (!session) return
    session.end()
    this.close(holder, session)
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }

  /** A reply has arrived. Replies that nobody waits for (any more), or that another holder is asked for, are dropped. */
  receive(holder: string, requestId: string, verdict: Verdict<HolderReply, string>): void {
    const pending = this.#pending.get(requestId)
    if (!pending || pending.holder !== holder) return
    if (verdict.ok && verdict.value.kind === 'contribution') void this.#receiveContribution(pending, verdict.value)
    else pending.settle(verdict as Verdict<ReceivedReply, HolderRefusal>)
  }

  /**
   * A contribution counts with the ciphertext that is stored under its plan and holder, also by an upload before a restart.
   * What is stored is never replaced, so that the set cannot be sealed over other bytes than the contribution was held against.
   */
  async #receiveContribution(
    { holder, planDigest, settle }: PendingRequest,
    reply: Extract<HolderReply, { kind: 'contribution' }>,
  ): Promise<void> {
    try {
      const uploaded = planDigest && (await this.#spool.stat(planDigest, holder))
      if (uploaded) settle(accepted({ ...reply, uploaded }))
      else settle(refused('payload-mismatch', `${holder} sent a contribution without its ciphertext.`))
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : 'remote-failure'
      settle(refused(code, `The ciphertext of ${holder} cannot be looked up now (${code}).`))
    }
  }

  /** Ends every stream; requests that wait are refused. */
  endAll(): void {
    for (const session of this.#sessions.values()) session.end()
    for (const pending of this.#pending.values()) {
      pending.settle(refused('holder-unreachable', 'The coordinator is stopping.'))
    }
  }
}

function contributedPlan(request: HolderRequest): string | undefined {
  return request.kind === 'contribute' ? statementDigest(request.plan) : undefined
}
