import { resolve } from 'node:path'
import protobuf from 'protobufjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { answerCertificate } from '../../src/protocol/committee-member.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  coordinatorKey,
  createParties,
  endorseWith,
  makePlan,
  memberRound,
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
    const envelopes = contributions.map(({ envelope }) => envelope)
    const certificate = endorseWith(round.manifest!, parties)
    const { answer } = acceptedOf(
      await answerCertificate(memberRound(round), certificate, envelopes, coordinatorKey.publicKey, parties[0].keys),
    )
    const publication = signStatement(
      publicationStatement,
      {
        plan: round.planDigest,
        manifest: 'b'.repeat(64),
        contributors: 4,
        aggregate: 'c'.repeat(64),
        output: { name: 'model', digest: 'd'.repeat(64) },
      },
      coordinatorKey,
    )
    const all = {
      RoundPlan: round.planEnvelope,
      Contribution: envelopes[0],
      Manifest: certificate,
      ShareSum: answer,
      Publication: publication,
    }
    for (const [name, { payload }] of Object.entries(all))
      bodies.set(name, JSON.parse(new TextDecoder().decode(payload)))
    scheme.dispose()
  })

  it.each(['RoundPlan', 'Contribution', 'Manifest', 'ShareSum', 'Publication'])(
    '%s has the fields of its message, and no other',
    (name) => {
      const body = bodies.get(name)!
      const type = root.lookupType(`sluice.v1.${name}`)
      expect(type.verify(body)).toBeNull()
      // Unknown fields would be lost on the way, missing ones would not be there to lose.
      expect(type.toObject(type.fromObject(body), { arrays: true, defaults: true })).toEqual(body)
      expect(Object.keys(type.fields).sort()).toEqual(Object.keys(body).sort())
    },
  )
})
