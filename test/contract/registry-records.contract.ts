import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RegistryStore } from '../../src/coordinator/admissions.ts'
import { type Envelope, signatureOver, statementDigest } from '../../src/crypto/envelope.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { someDigest, someStatement } from './coordinator-fixtures.ts'

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second, 123))
const endorse = ({ payloadType, payload }: Envelope) =>
  signatureOver(payloadType, payload, statementKeyFromSeed(randomBytes(32)))

/** One empty place for a store; `open` opens it, again after a close. */
export interface RegistryStorePlace {
  open(): Promise<RegistryStore & { close(): Promise<void> }>
  remove(): Promise<void>
}

/** What every {@link RegistryStore} keeps of the registry of members, whatever is under it. */
export function describeRegistryRecords(name: string, makePlace: () => Promise<RegistryStorePlace>): void {
  describe(`The registry’s store on ${name}`, () => {
    let place: RegistryStorePlace
    let store: Awaited<ReturnType<RegistryStorePlace['open']>>
    /** Entered so far, in order. */
    const entered: Envelope[] = []

    beforeAll(async () => {
      place = await makePlace()
      store = await place.open()
    })
    afterAll(async () => {
      await store.close()
      await place.remove()
    })

    const file = async (second = 0) => {
      const request = someStatement()
      await store.addRegistryRequest(request, at(second))
      return { request, digest: statementDigest(request) }
    }

    it('gives a request back as it was filed, with the signatures that came since, and files it once', async () => {
      const { request, digest } = await file(1)
      await store.addRegistryRequest(request, at(2))
      const signatures = [endorse(request), endorse(request)]
      for (const signature of signatures) await store.addRegistrySignature(digest, signature)
      await store.addRegistrySignature(digest, { ...signatures[0], sig: new Uint8Array(64) })
      expect(await store.findRegistryRequest(digest)).toEqual({
        digest,
        request: { ...request, signatures: [...request.signatures, ...signatures] },
        state: 'pending',
        filedAt: at(1),
      })
      expect(await store.findRegistryRequest(someDigest())).toBeUndefined()
      await store.refuseRegistryRequest(digest, 'its name is taken')
    })

    it('lists pending requests in the order in which they came, and refuses one once', async () => {
      const [first, second, third] = [await file(3), await file(2), await file(1)]
      await store.refuseRegistryRequest(second.digest, 'its name is taken \0')
      await store.refuseRegistryRequest(second.digest, 'another reason')
      expect((await store.listPendingRequests()).map(({ digest }) => digest)).toEqual([first.digest, third.digest])
      expect(await store.findRegistryRequest(second.digest)).toMatchObject({
        state: 'refused',
        reason: 'its name is taken \uFFFD',
      })
      for (const { digest } of [first, third]) await store.refuseRegistryRequest(digest, 'over')
    })

    it('has one statement for each number: of several that are proposed at once, all are given one', async () => {
      const { digest } = await file()
      const proposals = [0, 1, 2, 3].map(() => someStatement())
      const given = await Promise.all(
        proposals.map((statement) => store.proposeRegistryStatement(1, digest, statement)),
      )
      const [{ statement }] = given
      expect(proposals).toContainEqual(statement)
      for (const proposed of given) expect(proposed).toEqual({ sequence: 1, request: digest, statement })
      const signature = endorse(statement)
      await store.addRegistrySignature(statementDigest(statement), signature)
      const signed = { ...statement, signatures: [...statement.signatures, signature] }
      expect(await store.findProposedStatement()).toEqual({ sequence: 1, request: digest, statement: signed })
    })

    it('proposes no other number while one is open', async () => {
      const { digest } = await file()
      await expect(store.proposeRegistryStatement(2, digest, someStatement())).rejects.toMatchObject({
        code: 'conflict',
      })
      await store.refuseRegistryRequest(digest, 'over')
    })

    it('enters a statement with its signatures, settles its request, and does it once', async () => {
      const { sequence, statement, request } = (await store.findProposedStatement())!
      await expect(store.enterRegistryStatement(1, someStatement())).rejects.toMatchObject({ code: 'conflict' })
      await expect(store.enterRegistryStatement(2, someStatement())).rejects.toMatchObject({ code: 'not-found' })
      expect(await store.listRegistryStatements(0, 10)).toEqual([])
      await store.enterRegistryStatement(sequence, statement)
      await store.enterRegistryStatement(sequence, statement)
      entered.push(statement)
      expect(await store.findProposedStatement()).toBeUndefined()
      expect(await store.findRegistryRequest(request)).toMatchObject({ state: 'entered' })
      await store.refuseRegistryRequest(request, 'too late')
      expect(await store.findRegistryRequest(request)).toMatchObject({ state: 'entered' })
    })

    it('proposes nothing at a number that is taken, and nothing without its request', async () => {
      const { digest } = await file()
      await expect(store.proposeRegistryStatement(1, digest, someStatement())).rejects.toMatchObject({
        code: 'conflict',
      })
      await expect(store.proposeRegistryStatement(2, someDigest(), someStatement())).rejects.toMatchObject({
        code: 'not-found',
      })
      const statement = someStatement()
      await store.proposeRegistryStatement(2, digest, statement)
      await store.enterRegistryStatement(2, statement)
      entered.push(statement)
    })

    // Last: it closes the store of the others.
    it('lists entered statements after a number, a page at a time, after it was opened again too', async () => {
      const { digest } = await file()
      const proposed = someStatement()
      await store.proposeRegistryStatement(3, digest, proposed)
      await store.close()
      store = await place.open()
      expect(await store.listRegistryStatements(0, 10)).toEqual(entered)
      expect(await store.listRegistryStatements(0, 1)).toEqual(entered.slice(0, 1))
      expect(await store.listRegistryStatements(1, 10)).toEqual(entered.slice(1))
      expect(await store.findProposedStatement()).toEqual({ sequence: 3, request: digest, statement: proposed })
    })
  })
}
