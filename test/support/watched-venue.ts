/** A venue whose holders are watched: what they gave away, by which it is judged whether a round ended as it must. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { heartDirectory, heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import type { HolderParts } from '../../nodes/holder/holder-agent.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { questionOf } from '../../src/protocol/question.ts'
import { roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import { InProcessVenue, type Interference } from './in-process-venue.ts'
import { acceptedOf } from './round-fixtures.ts'

/** Records of each hospital: what statistics over it must count. */
export const recordsOf: ReadonlyMap<string, number> = new Map(
  heartHospitals.map(({ name, path }) => {
    const [, ...records] = readFileSync(join(heartDirectory, path), 'utf8').trim().split('\n')
    return [name, records.length]
  }),
)

export class WatchedVenue {
  readonly venue: InProcessVenue
  /** Members that gave their share sum, by plan and manifest. */
  readonly #answers = new Map<string, Set<string>>()
  /** Ciphertexts that arrived, by plan and holder. */
  readonly #ciphertexts: Map<string, Set<Digest>>

  private constructor(venue: InProcessVenue, ciphertexts: Map<string, Set<Digest>>) {
    this.venue = venue
    this.#ciphertexts = ciphertexts
    for (const { keys } of venue.parties) this.watch(keys.holder)
  }

  static async open(changes: (parts: HolderParts) => Partial<HolderParts> = () => ({})): Promise<WatchedVenue> {
    const ciphertexts = new Map<string, Set<Digest>>()
    const venue = await InProcessVenue.open((parts) => {
      const { coordinator, member } = parts
      const upload: typeof coordinator.upload = async (plan, source, until) => {
        const payload = await coordinator.upload(plan, source, until)
        note(ciphertexts, `${plan}/${member.holder}`, payload.digest)
        return payload
      }
      return { coordinator: { ...coordinator, upload }, ...changes(parts) }
    })
    return new WatchedVenue(venue, ciphertexts)
  }

  /** @param interference stands between the coordinator and the holder, before what is watched */
  watch(holder: string, interference: Interference = (_, answer) => answer()): void {
    this.venue.interferences.set(holder, async (request, answer) => {
      const reply = await interference(request, answer)
      if (reply.ok && reply.value.kind === 'share-sum' && request.kind === 'answer') {
        note(this.#answers, `${request.planDigest}/${statementDigest(request.certificate)}`, holder)
      }
      return reply
    })
  }

  /**
   * Every round has ended, the statistics are exact over those whom the publication names, and of each question at most one set
   * could be opened, ever; no holder made two ciphertexts for one plan.
   * @returns whether the step of statistics was published
   */
  async expectWellEnded(job: Digest, what: string): Promise<boolean> {
    const { store } = this.venue
    const rounds = await store.listRounds(job)
    const openable = new Map<Digest, Set<string>>()
    for (const { phase, reason, plan: envelope, planDigest } of rounds) {
      if (phase === 'abandoned') expect(reason, what).toMatch(/\w/)
      else expect(phase, what).toBe('published')
      const plan = acceptedOf(parseStatement(roundPlanStatement, envelope))
      for (const [set, members] of this.#answers) {
        if (!set.startsWith(planDigest) || members.size < plan.committee.threshold) continue
        note(openable, questionOf(plan), set)
      }
    }
    for (const sets of openable.values()) expect(sets.size, what).toBe(1)
    for (const made of this.#ciphertexts.values()) expect(made.size, what).toBe(1)
    return this.#expectExactStatistics(job, what)
  }

  async #expectExactStatistics(job: Digest, what: string): Promise<boolean> {
    const { store, artifacts } = this.venue
    const events = (await store.listJobEvents(job, 0, 1000)).map(({ event }) => event)
    const [published, ...again] = events.filter(
      (event) => event.kind === 'round-published' && event.step === 'statistics',
    )
    if (published?.kind !== 'round-published') return false
    expect(again, what).toEqual([])
    const outputs = await store.listJobOutputs(job)
    const { digest } = outputs.find(({ name }) => name === 'statistics')!
    const { exampleCount } = JSON.parse(new TextDecoder().decode(await artifacts.get(digest)))
    const expected = published.contributors.reduce((sum, holder) => sum + recordsOf.get(holder)!, 0)
    expect(exampleCount, what).toBe(expected)
    return true
  }
}

function note<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value))
}
