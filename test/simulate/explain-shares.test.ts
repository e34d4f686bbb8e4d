import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { candidatesStatement } from '../../src/protocol/candidates.ts'
import { dealingStatement } from '../../src/protocol/dealing.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import { bodiesOf, parseStatement, readStatement, signStatement } from '../../src/protocol/statement.ts'
import { foundFederation } from '../../src/simulate/federation.ts'
import { type PublishedRound, SimulatedVenue } from '../../src/simulate/simulated-venue.ts'
import { holderNames } from '../../src/simulate/simulation-options.ts'
import { openPlace, someOptions } from './simulation-fixtures.ts'

type ExplainRequest = Extract<HolderRequest, { kind: 'explain-shares' }>

const { signal } = new AbortController()
let place: Awaited<ReturnType<typeof openPlace>>
beforeAll(async () => {
  place = await openPlace()
})
afterAll(() => place.close())

/** A round of nine, its logged statements, and what a contributor without a seat can be asked to explain. */
async function runNine() {
  const { weights, precisionBits, seed } = someOptions()
  const federation = await foundFederation(seed, holderNames(9))
  const parts = place.openParts()
  let continued: ExplainRequest['checkpoint'] | undefined
  let shown: Extract<HolderRequest, { kind: 'check-shares' }> | undefined
  const venue = await SimulatedVenue.open({ weights, precisionBits, seed }, federation, 3, parts, (request) => {
    // The first that continues a tree is of the candidates: it starts where holders without a seat stand.
    if (request.kind === 'cosign' && request.checkpoint.oldSize > 0) continued ??= request.checkpoint
    if (request.kind === 'check-shares') shown ??= request
  })
  venue.wire.beginRound(new Map())
  const published = await venue.runRound(signal, () => {})
  const checkpoint = { ...continued!, note: shown!.checkpoint.note }
  const request: ExplainRequest = { ...shown!, kind: 'explain-shares', checkpoint }
  return { federation, venue, published, statements: await parts.store.listStatements(0, 1000), request }
}

/** A contributor that is not on the committee: of the log it knows what it was shown with the plan. */
function withoutSeat({ opened }: PublishedRound): string {
  const { members } = opened.round.plan.committee
  return opened.contributors.find((name) => !members.includes(name))!
}

describe('a simulated holder that is asked what it dealt', () => {
  it('says what every member published of it', async () => {
    const { federation, venue, published, statements, request } = await runNine()
    const holder = withoutSeat(published)
    const answer = await venue.wire.ask(holder, request, signal)
    if (!answer.ok || answer.value.kind !== 'dealing') throw new Error(JSON.stringify(answer))
    const { statementKey } = federation.members.get(holder)!
    const dealing = readStatement(dealingStatement, answer.value.envelope, statementKey)
    if (!dealing.ok) throw new Error(dealing.reason)
    const ofType = ({ payloadType }: Envelope) => payloadType === shareCheckStatement.payloadType
    const checks = bodiesOf(shareCheckStatement, statements.filter(ofType))
    expect(checks.length).toBeGreaterThan(1)
    for (const { member, combinations } of checks) {
      const own = dealing.value.combinations.find((each) => each.member === member)
      expect(own?.values).toEqual(combinations.find((each) => each.holder === holder)?.values)
    }
  })

  it('explains nothing under candidates that the log has not: two challenges would say something of its key', async () => {
    const { federation, venue, published, request } = await runNine()
    const logged = parseStatement(candidatesStatement, request.candidates)
    if (!logged.ok) throw new Error(logged.reason)
    const fewer = { ...logged.value, contributions: logged.value.contributions.slice(1) }
    const candidates = signStatement(candidatesStatement, fewer, federation.coordinatorKey)
    const answer = await venue.wire.ask(withoutSeat(published), { ...request, candidates }, signal)
    expect(answer).toMatchObject({ ok: false, code: 'not-in-log' })
  })

  it('has nothing to explain once the round is forgotten', async () => {
    const { venue, published, request } = await runNine()
    await venue.forget(published)
    const answer = await venue.wire.ask(withoutSeat(published), request, signal)
    expect(answer).toMatchObject({ ok: false, code: 'ciphertext-not-kept' })
  })
})
