/** One round over seven in-memory holders: real protocol, real ciphertexts, real workers, real store and spool. */
import { mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/cli/coordinator-process.ts'
import { OpenRounds } from '../../src/coordinator/open-rounds.ts'
import type { CoordinatorStore, HolderDirectory, ReceivedReply } from '../../src/coordinator/ports.ts'
import type { HolderNote } from '../../src/coordinator/round-context.ts'
import { runRound } from '../../src/coordinator/run-round.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { packShare, SHARE_MODULUS, unpackShare } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { answerCertificate, endorseManifest } from '../../src/protocol/committee-member.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { shareSumStatement } from '../../src/protocol/share-sum.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { openPayloadSpool } from '../../src/store/payload-spool.ts'
import { someJob } from '../contract/coordinator-fixtures.ts'
import {
  acceptedOf,
  coordinatorKey,
  createParties,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  type Party,
  plainSum,
} from '../support/round-fixtures.ts'

const NAMES = ['basel', 'bern', 'cleveland', 'geneva', 'hungary', 'zug', 'zurich']
const { job, envelope: jobEnvelope } = someJob()

let directory: string
let scheme: PayloadScheme
let workers: PayloadWorkers
let store: CoordinatorStore
let spool: Awaited<ReturnType<typeof openPayloadSpool>>
let parties: Party[]
const openRounds = new OpenRounds()

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-round-'))
  scheme = await createPayloadScheme()
  workers = await startPayloadWorkers({ threads: 1 })
  store = await openCoordinatorStore({ directory: join(directory, 'database') })
  spool = await openPayloadSpool(join(directory, 'spool'))
  parties = await createParties(NAMES)
  await store.addJob(job, jobEnvelope, new Date())
})
afterAll(async () => {
  scheme.dispose()
  await store.close()
  await workers.close()
  await rm(directory, { recursive: true })
})

/** What one holder does instead of its duty; `undefined` lets it do that. */
type Deviation = (
  request: HolderRequest,
  duty: () => Promise<Verdict<ReceivedReply, string>>,
) => Promise<Verdict<ReceivedReply, string>> | undefined

const deviations = new Map<string, Deviation>()
const made: MadeContribution[] = []
const notes: HolderNote[] = []
afterEach(() => {
  deviations.clear()
  made.splice(0)
  notes.splice(0)
})

const holders: HolderDirectory = {
  connected: () => NAMES,
  ask: async (name, request, signal) => {
    const party = parties.find(({ keys }) => keys.holder === name)!
    const duty = () => doDuty(party, request)
    const late = new Promise<Verdict<never, string>>((resolve) => {
      signal.addEventListener('abort', () => resolve(refused('deadline-passed', 'late')), { once: true })
    })
    return Promise.race([deviations.get(name)?.(request, duty) ?? duty(), late])
  },
}

async function doDuty(party: Party, request: HolderRequest): Promise<Verdict<ReceivedReply, string>> {
  if (request.kind === 'published') return accepted({ kind: 'noted' })
  if (request.kind === 'contribute') {
    const planDigest = statementDigest(request.plan)
    const plan = acceptedOf(parseStatement(roundPlanStatement, request.plan))
    const contribution = await makeContribution(scheme, { plan, planDigest }, party, lanesOf(party.keys.holder))
    made.push(contribution)
    await upload(planDigest, contribution)
    return accepted({ kind: 'contribution', envelope: contribution.envelope, uploaded: contribution.payload })
  }
  const { planDigest } = request
  const envelopes = openRounds.contributionsFor(planDigest, party.keys.holder) ?? []
  const round = { plan: currentPlan, planDigest }
  const { publicKey } = coordinatorKey
  if (request.kind === 'endorse') {
    const endorsed = endorseManifest(round, request.manifest, envelopes, publicKey, party.keys)
    return endorsed.ok ? accepted({ kind: 'endorsement', signature: endorsed.value.signature }) : endorsed
  }
  const answered = await answerCertificate(round, request.certificate, envelopes, publicKey, party.keys)
  return answered.ok ? accepted({ kind: 'share-sum', envelope: answered.value.answer }) : answered
}

async function upload(planDigest: Digest, { holder, chunks }: MadeContribution): Promise<void> {
  const writer = await spool.begin(planDigest, holder)
  for (const chunk of chunks) await writer.append(chunk)
  await writer.commit()
}

let currentPlan: RoundPlan
let rounds = 0

function run(changes: Partial<RoundPlan> = {}, signal = new AbortController().signal, committeeTimeoutMs = 20_000) {
  const collectUntil = new Date(Date.now() + 60_000).toISOString()
  rounds++
  const nonce = digestOf(Buffer.from(`nonce ${rounds}`))
  currentPlan = makePlan(parties, { job, round: rounds, nonce, collectUntil, ...changes })
  return runRound(currentPlan, {
    key: coordinatorKey,
    clock: systemClock,
    store,
    spool,
    holders,
    openRounds,
    workers,
    committeeTimeoutMs,
    job: jobEnvelope,
    note: (note) => notes.push(note),
    signal,
  })
}

/** The digest that a publication gives the plain sum of what these holders put in. */
function expectedAggregate(from: readonly string[]): Digest {
  const sum = plainSum(made.filter(({ holder }) => from.includes(holder)))
  return digestOf(new Uint8Array(sum.buffer))
}

const on =
  (kind: HolderRequest['kind'], respond: (duty: () => Promise<Verdict<ReceivedReply, string>>) => unknown): Deviation =>
  (request, duty) =>
    request.kind === kind ? (respond(duty) as ReturnType<Deviation>) : undefined
const silence = () => new Promise(() => {})

async function lastRound() {
  return (await store.listRounds(job)).at(-1)!
}

describe('a round', () => {
  it('opens exactly the plain sum of what seven holders put in', async () => {
    const { aggregate, contributors } = await run()
    expect(contributors).toEqual(NAMES)
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(notes).toEqual([])
    expect((await lastRound()).phase).toBe('opened')
  })

  it('closes at its deadline with those who came, and opens exactly their sum', async () => {
    deviations.set('zug', on('contribute', silence))
    deviations.set(
      'bern',
      on('contribute', async () => refused('dataset-not-offered', 'no')),
    )
    const collectUntil = new Date(Date.now() + 2500).toISOString()
    const { aggregate, contributors } = await run({ collectUntil })
    const rest = NAMES.filter((name) => name !== 'zug' && name !== 'bern')
    expect(contributors).toEqual(rest)
    expect(aggregate).toBe(expectedAggregate(rest))
    expect(notes.map(({ holder, code }) => `${holder} ${code}`)).toEqual([
      'bern dataset-not-offered',
      'zug deadline-passed',
    ])
  })

  it('leaves out a contribution whose ciphertext is another one, and one under another name', async () => {
    deviations.set(
      'basel',
      on('contribute', async (duty) => {
        const reply = acceptedOf(await duty())
        return accepted({ ...reply, uploaded: { digest: 'f'.repeat(64), bytes: 1 } })
      }),
    )
    deviations.set(
      'zurich',
      on('contribute', async () => {
        const other = made.find(({ holder }) => holder === 'cleveland')
        const envelope = other?.envelope ?? jobEnvelope
        return accepted({ kind: 'contribution', envelope, uploaded: { digest: 'f'.repeat(64), bytes: 1 } })
      }),
    )
    const { aggregate, contributors } = await run()
    const rest = NAMES.filter((name) => name !== 'basel' && name !== 'zurich')
    expect(contributors).toEqual(rest)
    expect(aggregate).toBe(expectedAggregate(rest))
    expect(notes.find(({ holder }) => holder === 'basel')?.code).toBe('payload-mismatch')
    expect(['bad-signature', 'wrong-statement-type']).toContain(notes.find(({ holder }) => holder === 'zurich')?.code)
  })

  it('names a holder that answers something else than it was asked, in every phase', async () => {
    const odd = async () => accepted({ kind: 'noted' } as const)
    deviations.set('bern', on('contribute', odd))
    deviations.set('basel', (request) => (request.kind === 'contribute' ? undefined : odd()))
    const { contributors } = await run()
    expect(contributors).toHaveLength(6)
    const named = notes.filter(({ code }) => code === 'malformed-message').map(({ holder }) => holder)
    expect(named).toContain('bern')
    expect(new Set(named)).toEqual(new Set(['bern', 'basel']))
  })

  it('ends without the two of seven members that may vanish after the seal', async () => {
    const gone: Deviation = (request) =>
      request.kind === 'contribute' ? undefined : (silence() as ReturnType<Deviation>)
    deviations.set('geneva', gone)
    deviations.set('zug', gone)
    const { aggregate, contributors } = await run()
    expect(contributors).toEqual(NAMES)
    expect(aggregate).toBe(expectedAggregate(NAMES))
  })

  it('opens nothing when three of seven vanish, and forgets the ciphertexts', async () => {
    const gone = on('endorse', async () => refused('holder-unreachable', 'gone'))
    for (const name of ['geneva', 'zug', 'basel']) deviations.set(name, gone)
    await expect(run()).rejects.toMatchObject({
      code: 'round-abandoned',
      message: expect.stringContaining('4 of 7 members endorsed'),
    })
    const { phase, planDigest, reason } = await lastRound()
    expect(phase).toBe('abandoned')
    expect(reason).toContain('4 of 7')
    await expect(spool.read(planDigest, 'bern', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
    expect(openRounds.contributionsFor(planDigest, 'bern')).toBeUndefined()
  })

  it('opens past a member whose lie came first, and names it and nobody else', async () => {
    // Honest members wait for the lie, and for a seventh answer: so that the lie is there to be found out.
    let tell = () => {}
    const told = new Promise<void>((resolve) => {
      tell = resolve
    })
    for (const name of NAMES) {
      deviations.set(
        name,
        on('answer', async (duty) => {
          await told
          return duty()
        }),
      )
    }
    deviations.set(
      'geneva',
      on('answer', async (duty) => {
        const reply = acceptedOf(await duty()) as Extract<HolderReply, { kind: 'share-sum' }>
        const body = acceptedOf(parseStatement(shareSumStatement, reply.envelope))
        const share = unpackShare(Buffer.from(body.shareSum, 'base64'), SHARED_NUMBERS)
        share[7] = (share[7] + 12_345) % SHARE_MODULUS
        const { statementKey } = parties.find(({ keys }) => keys.holder === 'geneva')!.keys
        const shareSum = Buffer.from(packShare(share)).toString('base64')
        // The others answer only when this has been taken in.
        setImmediate(tell)
        return accepted({
          kind: 'share-sum',
          envelope: signStatement(shareSumStatement, { ...body, shareSum }, statementKey),
        })
      }),
    )
    const { aggregate } = await run()
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(notes.map(({ holder, code }) => `${holder} ${code}`)).toEqual(['geneva bad-share-sum'])
  })

  it('that is cancelled while it collects is abandoned, with nothing left in the spool', async () => {
    const cancel = new AbortController()
    deviations.set('zug', on('contribute', silence))
    deviations.set(
      'bern',
      on('contribute', async (duty) => {
        const reply = await duty()
        setImmediate(() => cancel.abort(new Error('enough')))
        return reply
      }),
    )
    await expect(run({}, cancel.signal)).rejects.toThrow('enough')
    const { phase, planDigest } = await lastRound()
    expect(phase).toBe('abandoned')
    expect(readdirSync(join(directory, 'spool/rounds'))).not.toContain(planDigest)
    expect(openRounds.expectedPayload(planDigest, 'zug')).toBeUndefined()
  })

  it('gives sealed contributions to members of its committee only, and takes no ciphertext after the seal', async () => {
    const seen: unknown[] = []
    const committee = { members: NAMES.slice(0, 5), threshold: 4, tolerates: 1 }
    deviations.set(
      'bern',
      on('endorse', async (duty) => {
        const { planDigest } = await lastRound()
        seen.push(openRounds.contributionsFor(planDigest, 'bern')?.length)
        seen.push(openRounds.contributionsFor(planDigest, 'zurich'))
        seen.push(openRounds.expectedPayload(planDigest, 'bern'))
        return duty()
      }),
    )
    await run({ committee })
    expect(seen).toEqual([7, undefined, undefined])
  })
})
