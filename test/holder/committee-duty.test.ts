/** A holder node on the committee of a round: what it signs and answers, also after its process was replaced. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { HolderAgent } from '../../nodes/holder/holder-agent.ts'
import { holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import {
  acceptedOf,
  codeOf,
  createParties,
  endorseWith,
  floorsOf,
  forgeManifest,
  type Party,
  type SealedRound,
  sealRoundOf,
} from '../support/round-fixtures.ts'

let parties: Party[]
let sealed: SealedRound
beforeAll(async () => {
  const scheme = await createPayloadScheme()
  parties = await createParties()
  sealed = await sealRoundOf(scheme, parties)
  scheme.dispose()
})

let directory: string
let journal: HolderJournal
let fetched: SealedRound['contributions']
let fetches: number
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-duty-'))
  journal = new HolderJournal(directory)
  journal.accept(sealed.round.planDigest, sealed.round.planEnvelope, 'heart')
  fetched = sealed.contributions
  fetches = 0
})
afterEach(() => {
  journal.close()
  rmSync(directory, { recursive: true })
})

/** The first party's node over the journal as it stands; parts that only contributing needs are absent. */
function startNode(): HolderAgent {
  const [self] = parties
  const none = undefined as never
  return new HolderAgent({
    ...self,
    floors: floorsOf(self, parties),
    policy: holderPolicySchema.parse({ datasets: {} }),
    datasets: new Map(),
    trainer: none,
    workers: none,
    journal,
    coordinator: {
      upload: none,
      fetchArtifact: none,
      fetchContributions: async () => {
        fetches++
        return fetched.map(({ envelope }) => envelope)
      },
    },
    randomness: systemRandomness,
    log: pino({ level: 'silent' }),
  })
}

/** The process is replaced by another over the same directory. */
function restartNode(): HolderAgent {
  journal.close()
  journal = new HolderJournal(directory)
  return startNode()
}

const endorse = (manifest = sealed.round.manifest!) =>
  ({ kind: 'endorse', planDigest: sealed.round.planDigest, manifest }) as const
const answer = (certificate = endorseWith(sealed.round.manifest!, parties)) =>
  ({ kind: 'answer', planDigest: sealed.round.planDigest, certificate }) as const

describe('a holder node on the committee', () => {
  it('has its claim on disk before its signature leaves', async () => {
    const manifest = statementDigest(sealed.round.manifest!)
    const onDisk = startNode()
      .handle(endorse())
      .then((verdict) => [codeOf(verdict), journal.find(sealed.round.planDigest)?.endorsedManifest])
    expect(await onDisk).toEqual(['accepted', manifest])
  })

  it('answers the same bytes again, after a restart too', async () => {
    const first = acceptedOf(await startNode().handle(answer()))
    const again = restartNode()
    expect(acceptedOf(await again.handle(answer()))).toEqual(first)
    expect(acceptedOf(await again.handle(answer()))).toEqual(first)
  })

  it('refuses another manifest of the round, whether it had endorsed or only answered, after a restart too', async () => {
    const other = forgeManifest(sealed.round, sealed.contributions.slice(0, 3))
    for (const bind of [endorse(), answer()]) {
      expect(codeOf(await startNode().handle(bind))).toBe('accepted')
      fetched = sealed.contributions.slice(0, 3)
      const restarted = restartNode()
      expect(codeOf(await restarted.handle(endorse(other)))).toBe('other-manifest-endorsed')
      expect(codeOf(await restarted.handle(answer(endorseWith(other, parties))))).toBe('other-manifest-endorsed')
      fetched = sealed.contributions
    }
  })

  it('signs one of two manifests that come at the same moment', async () => {
    const node = startNode()
    const smaller = forgeManifest(sealed.round, sealed.contributions.slice(0, 3))
    const sameSet = forgeManifest(sealed.round, sealed.contributions, new Date('2026-03-01T12:00:01.000Z'))
    const verdicts = await Promise.all([endorse(), endorse(smaller), endorse(sameSet)].map((one) => node.handle(one)))
    expect(verdicts.filter(({ ok }) => ok)).toHaveLength(1)
  })

  it('opens nothing without a certificate, below the floor, or for contributions that it was not shown', async () => {
    const node = startNode()
    expect(codeOf(await node.handle(answer(sealed.round.manifest!)))).toBe('no-certificate')
    const two = forgeManifest(sealed.round, sealed.contributions.slice(0, 2))
    expect(codeOf(await node.handle(answer(endorseWith(two, parties))))).toBe('too-few-contributors')
    fetched = sealed.contributions.slice(0, 3)
    expect(codeOf(await restartNode().handle(answer()))).toBe('contributions-mismatch')
    expect(journal.find(sealed.round.planDigest)?.endorsedManifest).toBeUndefined()
  })

  it('fetches the contributions of a round once for both duties', async () => {
    const node = startNode()
    await node.handle(endorse())
    await node.handle(answer())
    expect(fetches).toBe(1)
  })

  it('takes no manifest or certificate of another coordinator', async () => {
    const stranger = endorseWith({ ...sealed.round.manifest!, signatures: [] }, [parties[1]])
    expect(codeOf(await startNode().handle(endorse(stranger)))).toBe('bad-signature')
  })
})
