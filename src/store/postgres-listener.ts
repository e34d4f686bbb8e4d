import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** A server that is away is dialled again after this. */
const REDIAL_MS = 2000

/**
 * One connection of its own on which notifications come; dialled at the first `listen`, and again whenever it is lost. What is
 * said meanwhile is lost, and so is everything behind a pooler that shares connections: listeners look by themselves, too.
 */
export class PostgresListener {
  readonly #databaseUrl: string
  readonly #channels = new EventEmitter()
  readonly #closing = new AbortController()
  #attending: Promise<void> | undefined
  #client: pg.Client | undefined

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl
    this.#channels.setMaxListeners(0)
  }

  /** @param channel a plain identifier. @returns the way to stop */
  listen(channel: string, listener: (payload: string) => void): () => void {
    const isNew = this.#channels.listenerCount(channel) === 0
    this.#channels.on(channel, listener)
    this.#attending ??= this.#attend()
    // On the connection that is there; a later one listens to all.
    if (isNew) this.#client?.query(`LISTEN ${channel}`).catch(() => undefined)
    return () => void this.#channels.off(channel, listener)
  }

  async #attend(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      await this.#attendOnce().catch(() => undefined)
      await sleep(REDIAL_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  async #attendOnce(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#databaseUrl,
      application_name: 'sluice-coordinator listens',
    })
    const ended = Promise.withResolvers<void>()
    client.on('error', () => ended.resolve())
    client.on('end', () => ended.resolve())
    client.on('notification', ({ channel, payload }) => this.#channels.emit(channel, payload ?? ''))
    const leave = () => ended.resolve()
    this.#closing.signal.addEventListener('abort', leave, { once: true })
    try {
      await client.connect()
      for (const channel of this.#channels.eventNames()) await client.query(`LISTEN ${String(channel)}`)
      this.#client = client
      if (!this.#closing.signal.aborted) await ended.promise
    } finally {
      this.#client = undefined
      this.#closing.signal.removeEventListener('abort', leave)
      await client.end().catch(() => undefined)
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#attending
  }
}
