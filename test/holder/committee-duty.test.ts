/** A holder node on the committee of a round: what it checks, signs, answers and gives up, also after its process was replaced. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { HolderAgent } from '../../nodes/holder/holder-agent.ts'
import { holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { type Envelope, isSignedBy, statementDigest } from '../../src/crypto/envelope.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { unobservedHolder } from '../../src/observe/holder-observer.ts'
import { checkAbandonment } from '../../src/protocol/abandonment.ts'
import { orderedChecks, planRound } from '../../src/protocol/coordinator-round.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { questionOf } from '../../src/protocol/question.ts'
import type { RangeEvidence } from '../../src/protocol/round-log.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { abandonmentOf, forgeCandidates } from '../support/ask-member.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  endorseWith,
  floorsOf,
  forgeManifest,
  makePlan,
  membersOf,
  type Party,
  type SealedRound,
  sealRoundOf,
} from '../support/round-fixtures.ts'
import { logKey, TestLog } from '../support/test-log.ts'

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
/** The coordinator's log; the plan is its first entry. */
let log: TestLog
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-duty-'))
  journal = new HolderJournal(directory)
  acceptPlan()
  fetched = sealed.contributions
  fetches = 0
  log = await TestLog.create()
  await log.append([sealed.round.planEnvelope])
})
afterEach(() => {
  journal.close()
  rmSync(directory, { recursive: true })
})

/** As after a contribution. */
function acceptPlan(): void {
  const { plan, planDigest, planEnvelope } = sealed.round
  journal.accept(planDigest, planEnvelope, { job: plan.job, question: questionOf(plan), dataset: 'heart' })
  journal.claimContribution(planDigest)
}

/** The first party's node over the journal as it stands; parts that only contributing needs are absent. */
function startNode(): HolderAgent {
  const [self] = parties
  const none = undefined as never
  return new HolderAgent({
    observer: unobservedHolder,
    ...self,
    floors: floorsOf(self, parties),
    logKey,
    members: {
      membersAt: async () => accepted(new Map()),
      endorse: async () => refused('approval-needed', 'Nobody is admitted here.'),
    },
    policy: holderPolicySchema.parse({ datasets: {} }),
    datasets: new Map(),
    trainer: none,
    workers: none,
    journal,
    coordinator: {
      upload: none,
      fetchArtifact: none,
      fetchOpening: none,
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

/** The same node as it was when it had contributed: what its own memory held back since then is gone. */
function rollBackNode(): HolderAgent {
  journal.close()
  rmSync(directory, { recursive: true })
  journal = new HolderJournal(directory)
  acceptPlan()
  return startNode()
}

type Evidence = { range?: RangeEvidence; cosigners?: readonly Party[]; of?: TestLog }

/** Asks what rests on the log, as a coordinator does: once more when the node knows another tree. */
async function askOnLog(
  node: HolderAgent,
  request: { kind: 'check-shares'; candidates: Envelope } | { kind: 'endorse'; manifest: Envelope },
  { range, cosigners = parties.slice(1, 4), of = log }: Evidence = {},
): Promise<Verdict<HolderReply, string>> {
  const { plan, planDigest } = sealed.round
  const ask = async (oldSize: number) => {
    const checkpoint = await of.checkpoint(cosigners, plan, oldSize)
    return node.handle({ ...request, planDigest, checkpoint, range: range ?? (await of.range(0)) })
  }
  const first = await ask(0)
  return first.ok && first.value.kind === 'known-size' ? ask(first.value.size) : first
}

const check = (node: HolderAgent, candidates = sealed.round.candidates!, evidence?: Evidence) =>
  askOnLog(node, { kind: 'check-shares', candidates }, evidence)
const endorse = (node: HolderAgent, manifest = sealed.round.manifest!, evidence?: Evidence) =>
  askOnLog(node, { kind: 'endorse', manifest }, evidence)
const certificate = () => endorseWith(sealed.round.manifest!, parties)
const answer = (certified = certificate()) =>
  ({ kind: 'answer', planDigest: sealed.round.planDigest, certificate: certified }) as const
const abandon = (abandonment = abandonmentOf(sealed.round), plan = sealed.round.planEnvelope): HolderRequest => ({
  kind: 'abandon',
  plan,
  abandonment,
})

/** Candidates, checks and manifest as an honest coordinator logs them; one of the checks is the node's own. */
async function logSealed(): Promise<void> {
  const { planDigest, candidates, manifest } = sealed.round
  journal.claimCandidates(planDigest, statementDigest(candidates!))
  await log.append([candidates!, ...orderedChecks(sealed.round), manifest!])
}

const remembered = () => journal.find(sealed.round.planDigest)

describe('a holder node on the committee', () => {
  it('has each claim on disk before its word leaves', async () => {
    await logSealed()
    const node = startNode()
    const steps: [() => Promise<Verdict<HolderReply, string>>, object][] = [
      [() => check(node), { checkedCandidates: statementDigest(sealed.round.candidates!) }],
      [() => endorse(node), { endorsedManifest: statementDigest(sealed.round.manifest!), answered: false }],
      [() => node.handle(answer()), { answered: true }],
    ]
    for (const [step, durable] of steps) {
      const onDisk = step().then((verdict) => [codeOf(verdict), remembered()])
      expect(await onDisk).toEqual(['accepted', expect.objectContaining(durable)])
    }
  })

  it('answers the same bytes again, after a restart too', async () => {
    await logSealed()
    const first = startNode()
    const duties = [check, endorse, (node: HolderAgent) => node.handle(answer())]
    const said = []
    for (const duty of duties) said.push(acceptedOf(await duty(first)))
    const again = restartNode()
    for (let repetition = 0; repetition < 2; repetition++) {
      for (const [i, duty] of duties.entries()) expect(acceptedOf(await duty(again))).toEqual(said[i])
    }
  })

  it('corrects a coordinator that does not know which tree it knows, and then does its duty', async () => {
    await log.append([sealed.round.candidates!])
    const node = startNode()
    acceptedOf(await check(node))
    await log.append([...orderedChecks(sealed.round), sealed.round.manifest!])
    const { plan, planDigest } = sealed.round
    const ask = async (oldSize: number) => {
      const [checkpoint, range] = [await log.checkpoint(parties.slice(1), plan, oldSize), await log.range(0)]
      return node.handle({ kind: 'endorse', planDigest, manifest: sealed.round.manifest!, checkpoint, range })
    }
    expect(acceptedOf(await ask(0))).toEqual({ kind: 'known-size', size: 2 })
    expect(remembered()).not.toHaveProperty('endorsedManifest')
    expect(acceptedOf(await ask(2))).toMatchObject({ kind: 'endorsement' })
    expect(acceptedOf(await ask(2))).toEqual({ kind: 'known-size', size: log.size })
  })

  it('refuses another manifest of the round, whether it had endorsed or only answered, after a restart too', async () => {
    const other = forgeManifest(sealed.round, sealed.contributions.slice(0, 3))
    for (const bind of [endorse, (node: HolderAgent) => node.handle(answer())]) {
      log = await TestLog.create()
      await log.append([sealed.round.planEnvelope])
      await logSealed()
      expect(codeOf(await bind(startNode()))).toBe('accepted')
      const restarted = restartNode()
      expect(codeOf(await endorse(restarted, other))).toBe('other-manifest-endorsed')
      expect(codeOf(await restarted.handle(answer(endorseWith(other, parties))))).toBe('other-manifest-endorsed')
      rollBackNode()
    }
  })

  it('checks no second candidate set, after a restart too: its own disk says so, whatever the log says', async () => {
    await log.append([sealed.round.candidates!])
    expect(codeOf(await check(startNode()))).toBe('accepted')
    const other = forgeCandidates(sealed.round, sealed.contributions.slice(0, 3))
    expect(codeOf(await check(restartNode(), other))).toBe('not-in-log')
    // A coordinator with a quorum in its pocket shows another log; this member has seen the first one.
    const forked = await TestLog.create()
    await forked.append([sealed.round.planEnvelope, other])
    expect(codeOf(await check(restartNode(), other, { of: forked }))).toBe('log-forked')
    // One that has forgotten the log and not the round.
    journal.database.exec('DELETE FROM witness')
    expect(codeOf(await check(restartNode(), other, { of: forked }))).toBe('other-candidates-checked')
    // Without either memory the second set would be checked.
    expect(codeOf(await check(rollBackNode(), other, { of: forked }))).toBe('accepted')
  })

  it('endorses the first manifest of the log and no second, also when its disk was rolled back', async () => {
    await logSealed()
    const { planDigest, planEnvelope, candidates, manifest } = sealed.round
    const second = forgeManifest(sealed.round, sealed.contributions, { sealedAt: '2026-03-01T12:00:01.000Z' })
    await log.append([second])
    const node = startNode()
    expect(codeOf(await endorse(node, second))).toBe('not-in-log')
    expect(codeOf(await endorse(node))).toBe('accepted')
    // Rolled back to its contribution it meets its own share check; to before its endorsement, the first manifest.
    expect(codeOf(await endorse(rollBackNode(), second))).toBe('memory-lost')
    const rolledBack = rollBackNode()
    journal.claimCandidates(planDigest, statementDigest(candidates!))
    expect(codeOf(await endorse(rolledBack, second))).toBe('not-in-log')
    expect(codeOf(await endorse(rolledBack, manifest))).toBe('accepted')
    // In a log that hides the first, and the member's own check, one without memory would sign the second: witnesses must not cosign that.
    const own = parties[0].member.statementKey
    const others = orderedChecks(sealed.round).filter((envelope) => !isSignedBy(envelope, own))
    const checks = others.map((envelope) => statementDigest(envelope))
    const hidden = forgeManifest(sealed.round, sealed.contributions, { sealedAt: '2026-03-01T12:00:01.000Z', checks })
    const hiding = await TestLog.create()
    await hiding.append([planEnvelope, candidates!, ...others, hidden])
    expect(codeOf(await endorse(rollBackNode(), hidden, { of: hiding }))).toBe('accepted')
  })

  it('notices by a contribution of its own that its disk was put back to before it, at every duty, and does none any more', async () => {
    await logSealed()
    for (const duty of [check, endorse, (node: HolderAgent) => node.handle(answer())]) {
      rollBackNode()
      journal.claimCandidates(sealed.round.planDigest, statementDigest(sealed.round.candidates!))
      journal.database.exec('UPDATE rounds SET contributed = 0')
      expect(codeOf(await duty(startNode()))).toBe('memory-lost')
      expect(journal.readLostMemory()).toContain('contribution')
      expect(codeOf(await restartNode().handle(abandon()))).toBe('memory-lost')
    }
  })

  it('trusts no log any more of which it has seen two histories, after a restart too', async () => {
    await logSealed()
    const forked = await TestLog.create()
    const second = forgeManifest(sealed.round, sealed.contributions, { sealedAt: '2026-03-01T12:00:01.000Z' })
    await forked.append([sealed.round.planEnvelope, sealed.round.candidates!, ...orderedChecks(sealed.round), second])
    const node = startNode()
    expect(codeOf(await check(node))).toBe('accepted')
    expect(codeOf(await check(node, undefined, { of: forked }))).toBe('log-forked')
    for (const start of [() => node, restartNode]) {
      const doubting = start()
      expect(codeOf(await check(doubting))).toBe('log-forked')
      expect(codeOf(await endorse(doubting))).toBe('log-forked')
      const checkpoint = await log.checkpoint([], sealed.round.plan)
      expect(codeOf(await doubting.handle({ kind: 'cosign', checkpoint }))).toBe('log-forked')
    }
  })

  it('reads no log that fewer than t of the committee cosigned', async () => {
    await logSealed()
    const short = [[], parties.slice(0, 2), [parties[0], parties[0], parties[0]]]
    for (const cosigners of short) {
      expect(codeOf(await check(startNode(), undefined, { cosigners }))).toBe('checkpoint-not-accepted')
      expect(codeOf(await endorse(startNode(), undefined, { cosigners }))).toBe('checkpoint-not-accepted')
    }
    expect(codeOf(await check(startNode(), undefined, { cosigners: parties.slice(1) }))).toBe('accepted')
  })

  it('sees every entry from the plan to the end, or does nothing', async () => {
    await logSealed()
    await log.append([abandonmentOf(sealed.round)])
    const whole = await log.range(0)
    const withheld: Record<string, RangeEvidence> = {
      'the end': { ...whole, entries: whole.entries.slice(0, -1) },
      'the plan': await log.range(1),
      'one between': { ...whole, entries: whole.entries.filter((_, i) => i !== 2) },
      'all of it': { ...whole, entries: [] },
    }
    for (const [what, range] of Object.entries(withheld)) {
      expect(codeOf(await check(startNode(), undefined, { range })), what).toBe('not-in-log')
      expect(codeOf(await endorse(startNode(), undefined, { range })), what).toBe('not-in-log')
    }
    // What they would have hidden.
    expect(codeOf(await check(startNode()))).toBe('round-abandoned')
    expect(codeOf(await endorse(startNode()))).toBe('round-abandoned')
    expect(remembered()).toMatchObject({ answered: false })
  })

  it('endorses no manifest that is over other candidates than those that it has checked', async () => {
    const other = forgeCandidates(sealed.round, sealed.contributions)
    await log.append([other])
    acceptedOf(await check(startNode(), other))
    // A log of another history, and a node that does not remember the first.
    const hiding = await TestLog.create()
    const { planEnvelope, candidates, manifest } = sealed.round
    await hiding.append([planEnvelope, candidates!, ...orderedChecks(sealed.round), manifest!])
    journal.database.exec('DELETE FROM witness')
    expect(codeOf(await endorse(restartNode(), undefined, { of: hiding }))).toBe('other-candidates-checked')
  })

  it('signs one of the manifests that come at the same moment', async () => {
    await logSealed()
    const node = startNode()
    const smaller = forgeManifest(sealed.round, sealed.contributions.slice(0, 3))
    const later = forgeManifest(sealed.round, sealed.contributions, { sealedAt: '2026-03-01T12:00:01.000Z' })
    const verdicts = await Promise.all([
      endorse(node),
      node.handle(answer(endorseWith(smaller, parties))),
      node.handle(answer(endorseWith(later, parties))),
    ])
    expect(verdicts.filter(({ ok }) => ok)).toHaveLength(1)
  })

  it('opens nothing without a certificate, below the floor, or for contributions that it was not shown', async () => {
    const node = startNode()
    expect(codeOf(await node.handle(answer(sealed.round.manifest!)))).toBe('no-certificate')
    const two = forgeManifest(sealed.round, sealed.contributions.slice(0, 2))
    expect(codeOf(await node.handle(answer(endorseWith(two, parties))))).toBe('too-few-contributors')
    fetched = sealed.contributions.slice(0, 3)
    expect(codeOf(await restartNode().handle(answer()))).toBe('contributions-mismatch')
    expect(remembered()?.endorsedManifest).toBeUndefined()
    expect(remembered()?.answered).toBe(false)
  })

  it('fetches the contributions of a round once for all duties', async () => {
    await logSealed()
    const node = startNode()
    await check(node)
    await endorse(node)
    await node.handle(answer())
    expect(fetches).toBe(1)
  })

  it('takes no candidates, manifest or certificate of another coordinator', async () => {
    const byAnother = (statement: Envelope) => endorseWith({ ...statement, signatures: [] }, [parties[1]])
    const [candidates, manifest] = [byAnother(sealed.round.candidates!), byAnother(sealed.round.manifest!)]
    await log.append([candidates, ...orderedChecks(sealed.round), manifest])
    const node = startNode()
    expect(codeOf(await check(node, candidates))).toBe('bad-signature')
    expect(codeOf(await endorse(node, manifest))).toBe('bad-signature')
    expect(codeOf(await node.handle(answer(byAnother(sealed.round.manifest!))))).toBe('bad-signature')
  })
})

describe('a holder node that gives a round up', () => {
  it('promises never to answer, durably: its signature is one of the t that prove it', async () => {
    const abandonment = abandonmentOf(sealed.round)
    const reply = acceptedOf(await startNode().handle(abandon(abandonment)))
    if (reply.kind !== 'endorsement') throw new Error('expected a signature')
    const signed = { ...abandonment, signatures: [reply.signature] }
    expect(isSignedBy(signed, parties[0].keys.statementKey.publicKey)).toBe(true)
    const others = membersOf(sealed.round, parties).filter(({ keys }) => keys.holder !== parties[0].keys.holder)
    const proof = (signatures: number) =>
      checkAbandonment(
        sealed.round.plan,
        sealed.round.planDigest,
        endorseWith(
          { ...abandonment, signatures: [...abandonment.signatures, reply.signature] },
          others.slice(0, signatures),
        ),
      )
    expect(codeOf(proof(1))).toBe('not-abandoned')
    expect(codeOf(proof(2))).toBe('accepted')
    expect(acceptedOf(await restartNode().handle(abandon(abandonment)))).toEqual(reply)
  })

  it('does no duty of that round any more, after a restart too', async () => {
    await logSealed()
    const node = startNode()
    acceptedOf(await endorse(node))
    acceptedOf(await node.handle(abandon()))
    for (const start of [() => node, restartNode]) {
      const bound = start()
      expect(codeOf(await bound.handle(answer()))).toBe('round-abandoned')
      expect(codeOf(await check(bound))).toBe('round-abandoned')
      expect(codeOf(await endorse(bound))).toBe('round-abandoned')
    }
  })

  it('does not give up what it has answered, after a restart too', async () => {
    const node = startNode()
    acceptedOf(await node.handle(answer()))
    for (const start of [() => node, restartNode]) {
      const bound = start()
      expect(codeOf(await bound.handle(abandon()))).toBe('already-answered')
      expect(codeOf(await bound.handle(answer()))).toBe('accepted')
    }
  })

  it('does one of the two when it is asked for both at the same moment, whichever comes first', async () => {
    for (const requests of [
      [answer(), abandon()],
      [abandon(), answer()],
      [abandon(), answer(), abandon(), answer()],
    ]) {
      const node = rollBackNode()
      const verdicts = await Promise.all(requests.map((request) => node.handle(request)))
      const kinds = new Set(verdicts.flatMap((verdict) => (verdict.ok ? [verdict.value.kind] : [])))
      expect(kinds.size).toBe(1)
      expect(remembered()!.answered).toBe(kinds.has('share-sum'))
      expect(remembered()!.abandoned).toBe(kinds.has('endorsement'))
    }
  })

  it('promises it of a plan that it never saw, too, and then has no part in it', async () => {
    const other = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    acceptedOf(await startNode().handle(abandon(abandonmentOf(other), other.planEnvelope)))
    const late = { kind: 'answer', planDigest: other.planDigest, certificate: sealed.round.manifest! } as const
    expect(codeOf(await restartNode().handle(late))).toBe('round-abandoned')
  })

  it('takes no abandonment of another coordinator or plan, or from outside the committee, and remembers none', async () => {
    const other = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    const node = startNode()
    const byAnother = abandonmentOf(other, {}, parties[1].keys.statementKey)
    expect(codeOf(await node.handle(abandon(byAnother, other.planEnvelope)))).toBe('bad-signature')
    expect(codeOf(await node.handle(abandon(abandonmentOf(sealed.round), other.planEnvelope)))).toBe('wrong-round')
    const without = parties.slice(1)
    const elsewhere = planRound(makePlan(without, { round: 3 }), coordinatorKey)
    const outside = await node.handle(abandon(abandonmentOf(elsewhere), elsewhere.planEnvelope))
    expect(codeOf(outside)).toBe('not-on-committee')
    // A plan that it has not examined: by a refused request it must not become one that it does duties for.
    for (const { planDigest } of [other, elsewhere]) {
      expect(journal.find(planDigest)).toBeUndefined()
      const request = { kind: 'answer', planDigest, certificate: certificate() } as const
      expect(codeOf(await node.handle(request))).toBe('plan-unknown')
    }
  })
})
