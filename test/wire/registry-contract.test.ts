import { resolve } from 'node:path'
import protobuf from 'protobufjs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { applicationOf, apply, departureOf, foundVenue, keysOf, statementFor } from '../support/registry-fixtures.ts'
import { acceptedOf, createParty } from '../support/round-fixtures.ts'

/** Another language reads the registry with nothing but proto/: its statements must be ProtoJSON of its messages. */
describe('every statement of a registry', () => {
  let root: protobuf.Root
  const bodies = new Map<string, Record<string, unknown>>()

  beforeAll(async () => {
    root = await protobuf.load(resolve(import.meta.dirname, '../../proto/sluice/v1/round.proto'))
    const { registry, parties } = await foundVenue('cleveland', 'hungary')
    const all = keysOf(parties)
    const application = applicationOf(await createParty('zurich'), all)
    const membership = statementFor(registry, application, all)
    const departure = departureOf(parties[0], all)
    const revocation = statementFor(acceptedOf(apply(registry, membership)), departure, all)
    const envelopes: Record<string, Envelope> = {
      Application: application,
      Departure: departure,
      Membership: membership,
      Revocation: revocation,
    }
    for (const [name, { payload }] of Object.entries(envelopes)) {
      bodies.set(name, JSON.parse(new TextDecoder().decode(payload)))
    }
  })

  it.each(['Application', 'Departure', 'Membership', 'Revocation'])(
    '%s has the fields of its message, and no other',
    (name) => {
      const body = bodies.get(name)!
      const type = root.lookupType(`sluice.v1.${name}`)
      expect(type.verify(body)).toBeNull()
      expect(type.toObject(type.fromObject(body), { arrays: true, defaults: true })).toEqual(body)
      expect(Object.keys(type.fields).sort()).toEqual(Object.keys(body).sort())
    },
  )
})
