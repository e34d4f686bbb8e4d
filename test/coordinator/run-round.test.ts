/** One round over seven in-memory holders: real protocol, real log, real ciphertexts, real workers, real store and spool. */

import { mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/cli/coordinator-process.ts'
import { LoggedRequests } from '../../src/coordinator/logged-requests.ts'
import { OpenRounds } from '../../src/coordinator/open-rounds.ts'
import {
  type CoordinatorStore,
  type HolderDirectory,
  type ReceivedReply,
  SUM,
  unobserved,
} from '../../src/coordinator/ports.ts'
import type { HolderNote } from '../../src/coordinator/round-context.ts'
import { runRound } from '../../src/coordinator/run-round.ts'
import { openTransparencyLog, type TransparencyLog } from '../../src/coordinator/transparency-log.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { packShare, SHARE_MODULUS, unpackShare } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { sealBox } from '../../src/crypto/sealed-box.ts'
import { SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { contributionStatement, shareAssociatedData } from '../../src/protocol/contribution.ts'
import { manifestOf } from '../../src/protocol/coordinator-round.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { planParameters, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import { shareSumStatement } from '../../src/protocol/share-sum.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { collecting } from '../../src/protocol/sum-reading.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { type BlobStores, storesOver } from '../../src/store/stores-over.ts'
import { someJob, someStatement } from '../contract/coordinator-fixtures.ts'
import { type CoordinatorDatabase, coordinatorDatabase } from '../support/coordinator-database.ts'
import {
  acceptedOf,
  coordinatorKey,
  createParties,
  type MadeContribution,
  makePlan,
  type Party,
  plainSum,
} from '../support/round-fixtures.ts'
import { logSigner } from '../support/test-log.ts'
import { CommitteeHolder } from './committee-holders.ts'

const NAMES = ['basel', 'bern', 'cleveland', 'geneva', 'hungary', 'zug', 'zurich']
/** Not in the cohort unless a test says so. */
const EIGHTH = 'aarau'
const { job, envelope: jobEnvelope } = someJob()

let directory: string
let scheme: PayloadScheme
let workers: PayloadWorkers
let database: CoordinatorDatabase
let store: CoordinatorStore
let log: TransparencyLog
let spool: BlobStores['spool']
let openings: BlobStores['openings']
let parties: Party[]
let logged: LoggedRequests
const nodes = new Map<string, CommitteeHolder>()
const openRounds = new OpenRounds()

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-round-'))
  scheme = await createPayloadScheme()
  workers = await startPayloadWorkers({ threads: 1 })
  database = await coordinatorDatabase(directory)
  store = await openCoordinatorStore(database.options)
  log = await openTransparencyLog(store, logSigner)
  ;({ spool, openings } = storesOver(await openDirectoryBlobStore(directory)))
  parties = await createParties([...NAMES, EIGHTH])
  const fetchContributions = (planDigest: Digest, member: string) =>
    openRounds.contributionsFor(planDigest, member) ?? []
  const around = { scheme, workers, directory: join(directory, 'holders'), upload, fetchContributions }
  for (const party of parties) nodes.set(party.keys.holder, new CommitteeHolder(party, around))
  logged = new LoggedRequests(log, store, holders)
  await logged.append([jobEnvelope])
  await store.addJob(job, jobEnvelope, new Date())
})
afterAll(async () => {
  for (const node of nodes.values()) node.close()
  scheme.dispose()
  await store.close()
  await database.drop()
  await workers.close()
  await rm(directory, { recursive: true })
})

/** What one holder does instead of its duty; `undefined` lets it do that. */
type Deviation = (
  request: HolderRequest,
  duty: () => Promise<Verdict<ReceivedReply, string>>,
) => Promise<Verdict<ReceivedReply, string>> | undefined

const deviations = new Map<string, Deviation>()
const notes: HolderNote[] = []
afterEach(() => {
  deviations.clear()
  for (const node of nodes.values()) node.tamper = async (made) => made
  notes.splice(0)
})

const holders: HolderDirectory = {
  connected: () => NAMES,
  ask: async (name, request, signal) => {
    const duty = () => nodes.get(name)!.handle(request)
    const late = new Promise<Verdict<never, string>>((resolve) => {
      signal.addEventListener('abort', () => resolve(refused('deadline-passed', 'late')), { once: true })
    })
    return Promise.race([deviations.get(name)?.(request, duty) ?? duty(), late])
  },
}

async function upload(planDigest: Digest, { holder, chunks }: MadeContribution): Promise<void> {
  const { plan } = await store.loadRound(planDigest)
  const writer = await spool.open(planDigest, holder, planParameters(plan))
  for (const chunk of chunks) await writer.append(chunk)
  await writer.commit()
}

let rounds = 0
/** How often something was made of a sum. */
let read = 0

function run(changes: Partial<RoundPlan> = {}, signal = new AbortController().signal, committeeTimeoutMs = 20_000) {
  const collectUntil = new Date(Date.now() + 60_000).toISOString()
  rounds++
  const nonce = digestOf(Buffer.from(`nonce ${rounds}`))
  const seven = parties.filter(({ keys }) => keys.holder !== EIGHTH)
  const plan = makePlan(seven, { job, round: rounds, nonce, collectUntil, after: logged.head, ...changes })
  return runRound(plan, {
    key: coordinatorKey,
    clock: systemClock,
    randomness: systemRandomness,
    store,
    spool,
    openings,
    holders,
    logged,
    openRounds,
    workers,
    committeeTimeoutMs,
    observer: unobserved,
    job: jobEnvelope,
    publications: [],
    abandonments: [],
    note: (note) => notes.push(note),
    signal,
    reading: collecting(() => void read++),
  })
}

/** What a holder put into the latest round. */
function latestOf(name: string): MadeContribution {
  return [...nodes.get(name)!.made.values()].at(-1)!
}

/** The digest that a publication gives the plain sum of what these holders put in. */
function expectedAggregate(from: readonly string[]): Digest {
  return digestOf(new Uint8Array(plainSum(from.map(latestOf)).buffer))
}

const on =
  (kind: HolderRequest['kind'], respond: (duty: () => Promise<Verdict<ReceivedReply, string>>) => unknown): Deviation =>
  (request, duty) =>
    request.kind === kind ? (respond(duty) as ReturnType<Deviation>) : undefined
const silence = () => new Promise(() => {})
const gone = async () => refused('holder-unreachable', 'gone')
const partyOf = (name: string) => parties.find(({ keys }) => keys.holder === name)!
const without = (...names: string[]) => NAMES.filter((name) => !names.includes(name))
const named = () => notes.map(({ holder, code }) => `${holder} ${code}`).sort()

/** Without the word of those who took no part in the plan, and so have no duty in it. */
const namedBeyondDuty = () => named().filter((note) => !note.endsWith('plan-unknown'))

async function lastRound() {
  return (await store.listRounds(job)).at(-1)!
}

/** Deals other shares than its polynomial's to these members. */
const dealWrongly =
  (...victims: string[]) =>
  async (made: MadeContribution): Promise<MadeContribution> => {
    const body = acceptedOf(parseStatement(contributionStatement, made.envelope))
    const plan = (await store.listRounds(job)).find(({ planDigest }) => planDigest === body.plan)!
    const { cohort } = acceptedOf(parseStatement(roundPlanStatement, plan.plan))
    const dealt = made.shares.map((share) => share.slice())
    const shares = await Promise.all(
      body.shares.map(async ({ member, sealed }, i) => {
        if (!victims.includes(member)) return { member, sealed }
        dealt[i][3] = (dealt[i][3] + 1) % SHARE_MODULUS
        const { boxKey } = cohort.find(({ holder }) => holder === member)!
        const associatedData = shareAssociatedData(body.plan, made.holder, member, made.payload.digest)
        const box = await sealBox(boxKey, packShare(dealt[i]), associatedData)
        return { member, sealed: Buffer.from(box).toString('base64') }
      }),
    )
    const { statementKey } = partyOf(made.holder).keys
    return { ...made, shares: dealt, envelope: signStatement(contributionStatement, { ...body, shares }, statementKey) }
  }

describe('a round', () => {
  it('opens exactly the plain sum of what seven holders put in, and keeps what it was opened from', async () => {
    const { aggregate, contributors, hashes, round } = await run()
    expect(contributors).toEqual(NAMES)
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(hashes.map(({ holder }) => holder)).toEqual(NAMES)
    expect(notes).toEqual([])
    expect((await lastRound()).phase).toBe('opened')
    const { ciphertextBytes } = planParameters(round.plan)
    expect(await openings.read(round.planDigest, SUM, 0, ciphertextBytes)).toHaveLength(ciphertextBytes)
  })

  it('closes at its deadline with those who came, and opens exactly their sum', async () => {
    deviations.set('zug', on('contribute', silence))
    deviations.set(
      'bern',
      on('contribute', async () => refused('dataset-not-offered', 'no')),
    )
    const collectUntil = new Date(Date.now() + 2500).toISOString()
    const { aggregate, contributors } = await run({ collectUntil })
    const rest = without('zug', 'bern')
    expect(contributors).toEqual(rest)
    expect(aggregate).toBe(expectedAggregate(rest))
    expect(namedBeyondDuty()).toEqual(['bern dataset-not-offered', 'zug deadline-passed'])
    // Whoever did not take part in the plan has no duty in it, either.
    expect(new Set(notes.slice(2).map(({ code }) => code))).toEqual(new Set(['plan-unknown']))
  })

  it('leaves out a contribution whose ciphertext is another one, and one under another name', async () => {
    deviations.set(
      'basel',
      on('contribute', async (duty) => {
        const reply = acceptedOf(await duty())
        // The first answer corrects what the coordinator thinks of its log.
        if (reply.kind !== 'contribution') return accepted(reply)
        return accepted({ ...reply, uploaded: { digest: 'f'.repeat(64), bytes: 1 } })
      }),
    )
    deviations.set(
      'zurich',
      on('contribute', async () => {
        const { envelope } = latestOf('cleveland')
        return accepted({ kind: 'contribution', envelope, uploaded: { digest: 'f'.repeat(64), bytes: 1 } })
      }),
    )
    const { aggregate, contributors } = await run()
    const rest = without('basel', 'zurich')
    expect(contributors).toEqual(rest)
    expect(aggregate).toBe(expectedAggregate(rest))
    expect(notes.find(({ holder }) => holder === 'basel')?.code).toBe('payload-mismatch')
    expect(notes.find(({ holder }) => holder === 'zurich')?.code).toBe('bad-signature')
  })

  it('names a holder that answers something else than it was asked, in every phase', async () => {
    const odd = async () => accepted({ kind: 'noted' } as const)
    deviations.set('bern', on('contribute', odd))
    deviations.set('basel', (request) => (request.kind === 'contribute' ? undefined : odd()))
    const { contributors } = await run()
    expect(contributors).toHaveLength(6)
    const oddly = notes.filter(({ code }) => code === 'malformed-message').map(({ holder }) => holder)
    expect(new Set(oddly)).toEqual(new Set(['bern', 'basel']))
    // Of what came after the plan: two cosignatures at least may have been had without it, the check was waited for.
    expect(oddly.filter((holder) => holder === 'basel').length).toBeGreaterThan(1)
  })

  it('ends without the two of seven members that may vanish after the seal', async () => {
    const vanish: Deviation = (request) =>
      ['endorse', 'answer'].includes(request.kind) ? (silence() as ReturnType<Deviation>) : undefined
    deviations.set('geneva', vanish)
    deviations.set('zug', vanish)
    const { aggregate, contributors } = await run()
    expect(contributors).toEqual(NAMES)
    expect(aggregate).toBe(expectedAggregate(NAMES))
  })

  it('opens nothing when three of seven vanish, and forgets the ciphertexts and their sum', async () => {
    const isAddedUp = async () =>
      vi.waitFor(async () => expect(await openings.stat((await lastRound()).planDigest, SUM)).toBeDefined(), {
        timeout: 10_000,
      })
    const goneLate = () => isAddedUp().then(gone)
    for (const name of ['geneva', 'zug', 'basel']) deviations.set(name, on('endorse', goneLate))
    await expect(run()).rejects.toMatchObject({
      code: 'round-abandoned',
      message: expect.stringContaining('4 of 7 members endorsed'),
    })
    const { phase, planDigest, reason } = await lastRound()
    expect(phase).toBe('abandoned')
    expect(reason).toContain('4 of 7')
    await expect(spool.read(planDigest, 'bern', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
    expect(await openings.plans()).not.toContain(planDigest)
    expect(openRounds.contributionsFor(planDigest, 'bern')).toBeUndefined()
  })

  it('that cannot be certified waits until nothing of it is added up any more', async () => {
    const isReading = Promise.withResolvers<void>()
    const isRead = Promise.withResolvers<void>()
    const before = openings
    openings = {
      ...before,
      stat: async (...which) => {
        isReading.resolve()
        await isRead.promise
        return before.stat(...which)
      },
    }
    for (const name of NAMES) deviations.set(name, on('endorse', gone))
    const ended = run()
    openings = before
    let isOver = false
    const over = () => {
      isOver = true
    }
    ended.then(over, over)
    await isReading.promise
    await vi.waitFor(() => expect(named().length).toBeGreaterThanOrEqual(NAMES.length), { timeout: 20_000 })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(isOver).toBe(false)
    isRead.resolve()
    await expect(ended).rejects.toMatchObject({ code: 'round-abandoned' })
    expect(await openings.stat((await lastRound()).planDigest, SUM)).toBeUndefined()
  })

  it('opens past a member whose lie came first, and names it and nobody else', async () => {
    // Honest members wait for the lie, and for a seventh answer: so that the lie is there to be found out.
    const told = Promise.withResolvers<void>()
    for (const name of NAMES) {
      deviations.set(
        name,
        on('answer', async (duty) => {
          await told.promise
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
        const shareSum = Buffer.from(packShare(share)).toString('base64')
        // The others answer only when this has been taken in.
        setImmediate(told.resolve)
        const { statementKey } = partyOf('geneva').keys
        return accepted({
          kind: 'share-sum',
          envelope: signStatement(shareSumStatement, { ...body, shareSum }, statementKey),
        })
      }),
    )
    read = 0
    const { aggregate } = await run()
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(named()).toEqual(['geneva bad-share-sum'])
    // A key sum with the lie in it may have been tried before: nothing came of it.
    expect(read).toBe(1)
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
    expect(readdirSync(join(directory, 'spool'))).not.toContain(planDigest)
    expect(openRounds.expectedPayload(planDigest, 'zug')).toBeUndefined()
  })

  it('gives sealed contributions to members of its committee only, and takes no ciphertext after the seal', async () => {
    const seen: unknown[] = []
    const plan = makePlan(parties, { job, round: rounds + 1 })
    const outsider = plan.cohort.find(({ holder }) => !plan.committee.members.includes(holder))!.holder
    const [insider] = plan.committee.members
    deviations.set(
      insider,
      on('endorse', async (duty) => {
        const { planDigest } = await lastRound()
        seen.push(openRounds.contributionsFor(planDigest, insider)?.length)
        seen.push(openRounds.contributionsFor(planDigest, outsider))
        seen.push(openRounds.expectedPayload(planDigest, insider))
        return duty()
      }),
    )
    const { contributors } = await run({ cohort: plan.cohort, committee: plan.committee })
    expect(contributors).toHaveLength(8)
    expect(seen[0]).toBe(8)
    expect(new Set(seen.slice(1))).toEqual(new Set([undefined]))
  })
})

describe('the check of the shares', () => {
  it('leaves out a contributor whose shares are on no polynomial, by name, and opens the sum of the others', async () => {
    nodes.get('bern')!.tamper = dealWrongly('geneva', 'zug')
    const { aggregate, contributors, round } = await run()
    expect(contributors).toEqual(without('bern'))
    expect(aggregate).toBe(expectedAggregate(without('bern')))
    expect(manifestOf(round)).toMatchObject({ excluded: [{ holder: 'bern' }], setAside: [] })
    expect(named()).toEqual(['bern shares-inconsistent'])
  })

  it('leaves out one that says it dealt what it did not, and names the members that it disagrees with', async () => {
    const node = nodes.get('bern')!
    node.tamper = async (made) => ({ ...(await dealWrongly('geneva', 'zug')(made)), shares: made.shares })
    const { aggregate, contributors, round } = await run()
    expect(contributors).toEqual(without('bern'))
    expect(aggregate).toBe(expectedAggregate(without('bern')))
    const [excluded] = manifestOf(round).excluded
    expect(excluded.holder).toBe('bern')
    expect([...excluded.members].sort()).toEqual(['geneva', 'zug'])
    expect(manifestOf(round).setAside).toEqual([])
  })

  it('leaves out one whose box does not open, by the word of the member', async () => {
    nodes.get('bern')!.tamper = async (made) => {
      const body = acceptedOf(parseStatement(contributionStatement, made.envelope))
      const shares = body.shares.map((share, i, all) => ({ ...share, sealed: all[(i + 1) % all.length].sealed }))
      const { statementKey } = partyOf('bern').keys
      return { ...made, envelope: signStatement(contributionStatement, { ...body, shares }, statementKey) }
    }
    const { aggregate, contributors } = await run()
    expect(contributors).toEqual(without('bern'))
    expect(aggregate).toBe(expectedAggregate(without('bern')))
    expect(named()).toEqual(['bern shares-inconsistent'])
  })

  it('sets a member aside that lies about everybody, leaves nobody out, and opens the exact sum', async () => {
    deviations.set(
      'geneva',
      on('check-shares', async (duty) => {
        const reply = acceptedOf(await duty())
        if (reply.kind !== 'share-check') return accepted(reply)
        const body = acceptedOf(parseStatement(shareCheckStatement, reply.envelope))
        const combinations = body.combinations.map(({ holder, values: [first, ...rest] }) => ({
          holder,
          values: [(first + 1) % SHARE_MODULUS, ...rest],
        }))
        const { statementKey } = partyOf('geneva').keys
        return accepted({
          kind: 'share-check',
          envelope: signStatement(shareCheckStatement, { ...body, combinations }, statementKey),
        })
      }),
    )
    const { aggregate, contributors, round } = await run()
    expect(contributors).toEqual(NAMES)
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(manifestOf(round)).toMatchObject({ excluded: [], setAside: ['geneva'] })
    expect(named()).toContain('geneva share-check-set-aside')
    expect(new Set(notes.map(({ holder }) => holder))).toEqual(new Set(['geneva']))
  })

  it('does without the two of seven members that may be silent, and names them', async () => {
    for (const name of ['geneva', 'zug']) deviations.set(name, on('check-shares', silence))
    const { aggregate, contributors, round } = await run()
    expect(contributors).toEqual(NAMES)
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(manifestOf(round).checks).toHaveLength(5)
    expect(named()).toEqual(['geneva deadline-passed', 'zug deadline-passed'])
  })

  it('seals nothing when three of seven are silent', async () => {
    for (const name of ['geneva', 'zug', 'basel']) deviations.set(name, on('check-shares', gone))
    await expect(run()).rejects.toMatchObject({
      code: 'round-abandoned',
      message: expect.stringContaining('4 members have checked their shares; 5 are needed'),
    })
    expect((await lastRound()).phase).toBe('abandoned')
  })

  it('waits for members beyond those it needs: only a point to spare shows who is off', async () => {
    nodes.get('bern')!.tamper = dealWrongly('geneva')
    const others = new Set<string>()
    const allOthers = Promise.withResolvers<void>()
    for (const name of without('geneva')) {
      deviations.set(
        name,
        on('check-shares', async (duty) => {
          const reply = await duty()
          others.add(name)
          if (others.size === NAMES.length - 1) setImmediate(allOthers.resolve)
          return reply
        }),
      )
    }
    deviations.set(
      'geneva',
      on('check-shares', async (duty) => {
        await allOthers.promise
        return duty()
      }),
    )
    const { contributors } = await run()
    expect(contributors).toEqual(without('bern'))
    expect(named()).toEqual(['bern shares-inconsistent'])
  })
})

describe('the hashes of the ciphertexts', () => {
  it('that are missing or do not fit leave the sum as it is, unverified, and are named', async () => {
    const rewrite = (change: (hash: string) => object, key: string) =>
      on('hash-payload', async (duty) => {
        const reply = acceptedOf(await duty()) as Extract<HolderReply, { kind: 'payload-hash' }>
        const body = acceptedOf(parseStatement(payloadHashStatement, reply.envelope))
        const changed = { ...body, ...change(body.hash) }
        const { statementKey } = partyOf(key).keys
        return accepted({ kind: 'payload-hash', envelope: signStatement(payloadHashStatement, changed, statementKey) })
      })
    const other = (hash: string) => ({ hash: `${hash.slice(0, -1)}${hash.endsWith('0') ? '1' : '0'}` })
    deviations.set('basel', rewrite(other, 'basel'))
    deviations.set(
      'bern',
      rewrite(() => ({ manifest: 'a'.repeat(64) }), 'bern'),
    )
    deviations.set(
      'geneva',
      rewrite(() => ({}), 'zug'),
    )
    deviations.set(
      'hungary',
      on('hash-payload', async () => refused('ciphertext-not-kept', 'It restarted.')),
    )
    deviations.set('zug', on('hash-payload', silence))
    const { aggregate, contributors, hashes } = await run()
    expect(contributors).toEqual(NAMES)
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(hashes.map(({ holder }) => holder)).toEqual(['cleveland', 'zurich'])
    expect(named()).toEqual([
      'basel bad-payload-hash',
      'bern bad-payload-hash',
      'geneva bad-signature',
      'hungary ciphertext-not-kept',
      'zug deadline-passed',
    ])
  })
})

describe('the log of a round', () => {
  it('may be moved on by others at any step', async () => {
    const kinds = ['cosign', 'contribute', 'check-shares', 'endorse', 'answer', 'hash-payload']
    const before = log.checkpoint.size
    deviations.set('bern', (request, duty) =>
      kinds.includes(request.kind) ? log.append([someStatement()]).then(duty) : undefined,
    )
    const { aggregate } = await run()
    expect(aggregate).toBe(expectedAggregate(NAMES))
    expect(notes).toEqual([])
    const { size } = await logged.append([someStatement()])
    // Plan, candidates, seven checks, manifest, certificate: and what the others put between them.
    expect(size).toBeGreaterThan(before + 11 + kinds.length)
  })

  it('has plan, candidates, checks and manifest in this order before anybody is asked to endorse', async () => {
    const types: string[][] = []
    const start = log.checkpoint.size
    deviations.set(
      'bern',
      on('endorse', async (duty) => {
        const statements = await store.listStatements(start, 100)
        types.push(statements.map(({ payloadType }) => /v1\.([a-z-]+)\+json/.exec(payloadType)![1]))
        return duty()
      }),
    )
    await run()
    expect(types[0]).toEqual(['round-plan', 'candidates', ...Array(7).fill('share-check'), 'manifest'])
  })

  it('is not held up by members that cosign nonsense, nothing, or in another’s name, and names them', async () => {
    deviations.set(
      'geneva',
      on('cosign', async () => accepted({ kind: 'cosignature', line: 'no line at all' })),
    )
    deviations.set(
      'zug',
      on('cosign', async (duty) => {
        const reply = acceptedOf(await duty())
        return accepted(
          reply.kind === 'cosignature' ? { kind: 'cosignature', line: reply.line.replace('zug', 'bern') } : reply,
        )
      }),
    )
    // The others wait for these, so that they are heard.
    const heard = Promise.withResolvers<void>()
    setTimeout(heard.resolve, 300)
    for (const name of without('geneva', 'zug'))
      deviations.set(
        name,
        on('cosign', (duty) => heard.promise.then(duty)),
      )
    const { aggregate } = await run()
    expect(aggregate).toBe(expectedAggregate(NAMES))
    const codes = new Set(named())
    expect(codes.has('geneva bad-signature')).toBe(true)
    expect([...codes].every((note) => /^(geneva|zug) bad-signature$/.test(note))).toBe(true)
  })

  it('that fewer than t members cosign carries no round', async () => {
    for (const name of ['geneva', 'zug', 'basel']) {
      deviations.set(
        name,
        on('cosign', async () => refused('log-forked', 'Two histories.')),
      )
    }
    await expect(run()).rejects.toMatchObject({
      code: 'round-abandoned',
      message: expect.stringContaining('Fewer than 5 members of the committee cosigned'),
    })
    expect(new Set(named())).toEqual(new Set(['basel log-forked', 'geneva log-forked', 'zug log-forked']))
  })

  it('that a holder has seen longer was rolled back: the operator is told', async () => {
    deviations.set(
      'bern',
      on('contribute', async () => accepted({ kind: 'known-size', size: log.checkpoint.size + 1000 })),
    )
    let size = 0
    deviations.set(
      'zurich',
      on('contribute', async () => accepted({ kind: 'known-size', size: ++size })),
    )
    const { contributors } = await run()
    expect(contributors).toEqual(without('bern', 'zurich'))
    expect(namedBeyondDuty()).toEqual(['bern log-rolled-back', 'zurich memory-lost'])
    expect(notes.find(({ holder }) => holder === 'bern')?.reason).toContain('restore the newest backup')
  })
})
