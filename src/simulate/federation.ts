import { type Digest, digestOf } from '../crypto/digest.ts'
import { boxKeyFromSeed } from '../crypto/sealed-box.ts'
import { type StatementKey, statementKeyFromSeed } from '../crypto/statement-key.ts'
import type { MemberKeys } from '../protocol/committee-member.ts'
import type { Member } from '../protocol/round-plan.ts'
import { deriveSeed } from './simulation.ts'

/** The parties of a simulation. Their identities follow from its seed; one-time keys never do. */
export interface Federation {
  readonly coordinatorKey: StatementKey
  /** The key of the venue's log. */
  readonly logKey: StatementKey
  /** By name, in the order of names. */
  readonly members: ReadonlyMap<string, Member>
  readonly keys: ReadonlyMap<string, MemberKeys>
  /** Stands where a venue has the head of its registry: the digest of the members. */
  readonly registry: Digest
}

/** Keys for a coordinator, its log and so many holders: about half a millisecond a holder. */
export async function foundFederation(seed: Digest, names: readonly string[]): Promise<Federation> {
  const members = new Map<string, Member>()
  const keys = new Map<string, MemberKeys>()
  for (const holder of names) {
    const statementKey = statementKeyFromSeed(deriveSeed(seed, 'statement-key', holder))
    const boxKey = await boxKeyFromSeed(deriveSeed(seed, 'box-key', holder))
    const member = { holder, organisation: holder, statementKey: statementKey.publicKey, boxKey: boxKey.publicKey }
    members.set(holder, member)
    keys.set(holder, { holder, statementKey, boxKey })
  }
  return {
    coordinatorKey: statementKeyFromSeed(deriveSeed(seed, 'coordinator')),
    logKey: statementKeyFromSeed(deriveSeed(seed, 'log')),
    members,
    keys,
    registry: digestOf(Buffer.from(JSON.stringify([...members.values()]))),
  }
}
