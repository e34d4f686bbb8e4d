import { resolve } from 'node:path'
import protobuf from 'protobufjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { orderedChecks } from '../../src/protocol/coordinator-round.ts'
import { signDealing } from '../../src/protocol/dealing.ts'
import { payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { abandonmentOf, askToAnswer } from '../support/ask-member.ts'
import {
  acceptedOf,
  coordinatorKey,
  createParties,
  endorseWith,
  forgeManifest,
  makePlan,
  sealRoundOf,
} from '../support/round-fixtures.ts'

/** Another language reads statements with nothing but proto/: their bodies must be ProtoJSON of its messages. */
describe('every statement of a real round', () => {
  let root: protobuf.Root
  const bodies = new Map<string, Record<string, unknown>>()

  beforeAll(async () => {
    root = await protobuf.load(resolve(import.meta.dirname, '../../proto/sluice/v1/round.proto'))
    const scheme = await createPayloadScheme()
    const parties = await createParties()
    const inputs = [{ name: 'model', digest: 'a'.repeat(64) }]
    const { round, contributions } = await sealRoundOf(scheme, parties, { plan: makePlan(parties, { inputs }) })
    const certificate = endorseWith(round.manifest!, parties)
    const { answer } = acceptedOf(await askToAnswer(round, certificate, contributions, parties[0]))
    const publication = signStatement(
      publicationStatement,
      {
        job: round.plan.job,
        plan: round.planDigest,
        manifest: 'b'.repeat(64),
        contributors: 4,
        aggregate: 'c'.repeat(64),
        sum: 'f'.repeat(64),
        opening: 'e'.repeat(64),
        hashes: [
          {
            holder: 'hungary',
            hash: '00'.concat('1'.repeat(14)).repeat(2),
            signature: Buffer.alloc(64, 1).toString('base64'),
          },
        ],
        output: { name: 'model', digest: 'd'.repeat(64) },
      },
      coordinatorKey,
    )
    const hash = {
      plan: round.planDigest,
      manifest: 'b'.repeat(64),
      sum: 'f'.repeat(64),
      holder: 'hungary',
      hash: '00'.concat('1'.repeat(14)).repeat(2),
    }
    const [{ holder, shares }] = contributions
    const { plan, planDigest } = round
    const { statementKey } = parties[0].keys
    const dealing = signDealing(plan, planDigest, statementDigest(round.candidates!), holder, shares, statementKey)
    const excluded = [{ holder: 'hungary', members: ['cleveland'] }]
    const all = {
      RoundPlan: round.planEnvelope,
      Contribution: contributions[0].envelope,
      Candidates: round.candidates!,
      ShareCheck: orderedChecks(round)[0],
      Dealing: dealing,
      Manifest: forgeManifest(round, contributions.slice(1), { excluded, setAside: ['switzerland'] }),
      PayloadHash: signStatement(payloadHashStatement, hash, parties[0].keys.statementKey),
      Abandonment: abandonmentOf(round),
      ShareSum: answer,
      Publication: publication,
    }
    for (const [name, { payload }] of Object.entries(all))
      bodies.set(name, JSON.parse(new TextDecoder().decode(payload)))
    scheme.dispose()
  })

  it.each([
    'RoundPlan',
    'Contribution',
    'Candidates',
    'ShareCheck',
    'Dealing',
    'Manifest',
    'ShareSum',
    'PayloadHash',
    'Publication',
    'Abandonment',
  ])('%s has the fields of its message, and no other', (name) => {
    const body = bodies.get(name)!
    const type = root.lookupType(`sluice.v1.${name}`)
    expect(type.verify(body)).toBeNull()
    // Unknown fields would be lost on the way, missing ones would not be there to lose.
    expect(type.toObject(type.fromObject(body), { arrays: true, defaults: true })).toEqual(body)
    expect(Object.keys(type.fields).sort()).toEqual(Object.keys(body).sort())
  })
})
