import { EventEmitter } from 'node:events'
import type { FoldClaim, FoldStore } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { decodeEnvelope } from '../crypto/envelope.ts'
import type { Database } from './database.ts'
import { StoreError } from './store-error.ts'
import { storableReason } from './stored-text.ts'

const AFTER = (parameter: string) => `clock_timestamp() + ${parameter}::double precision * interval '1 millisecond'`

/** The lock on the round's row keeps it from ending unseen: whoever ends it then finds the parts, and takes them away. */
const ADD = `
  WITH sealed AS (SELECT plan_digest FROM rounds WHERE plan_digest = $1 AND phase IN ('sealed', 'certified') FOR SHARE),
  added AS (
    INSERT INTO fold_parts (plan_digest, part) SELECT plan_digest, part FROM sealed, generate_series(0, $2 - 1) AS part
    ON CONFLICT DO NOTHING
  )
  SELECT FROM sealed`

/** A part that somebody else is taking at this moment is passed over, not waited for. */
const CLAIM = `
  UPDATE fold_parts SET claimed_by = $1, claim_ends = ${AFTER('$2')}
  WHERE (plan_digest, part) = (
    SELECT plan_digest, part FROM fold_parts
    WHERE digest IS NULL AND (claim_ends IS NULL OR claim_ends <= clock_timestamp())
      AND (plan_digest = $3 OR ($3::text IS NULL AND fault IS NULL))
    ORDER BY part, plan_digest LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING plan_digest AS "planDigest", part`

const IS_OURS = 'plan_digest = $1 AND part = $2 AND claimed_by = $3 AND digest IS NULL'
const RENEW = `UPDATE fold_parts SET claim_ends = ${AFTER('$4')} WHERE ${IS_OURS} RETURNING part`
const GIVE_BACK = `
  UPDATE fold_parts SET claimed_by = NULL, claim_ends = NULL, fault = coalesce($4, fault) WHERE ${IS_OURS} RETURNING part`
const FINISH = `
  UPDATE fold_parts SET digest = coalesce(digest, $3) WHERE plan_digest = $1 AND part = $2 RETURNING digest`

/** The part of the store that folding goes by; contracts on {@link FoldStore}. */
export function foldRecords(database: Database): FoldStore {
  // The embedded database tells nobody; whoever shares this store hears of what goes through it.
  const changes = new EventEmitter().setMaxListeners(0)
  const keyOf = ({ planDigest, part }: FoldClaim) => [planDigest, part] as const
  return {
    addFoldParts: async (planDigest, count) => {
      const sealed = await database.query(ADD, [planDigest, count])
      if (sealed.length === 0) throw notSealed('conflict', planDigest)
      changes.emit('change')
    },
    claimFoldPart: async (claimant, leaseMs, planDigest) => {
      const [claimed] = await database.query<{ planDigest: Digest; part: number }>(CLAIM, [
        claimant,
        leaseMs,
        planDigest ?? null,
      ])
      return claimed && { ...claimed, claimant }
    },
    renewFoldClaim: async (claim, leaseMs) =>
      (await database.query(RENEW, [...keyOf(claim), claim.claimant, leaseMs])).length > 0,
    giveBackFoldPart: async (claim, fault) => {
      const given = await database.query(GIVE_BACK, [...keyOf(claim), claim.claimant, storableReason(fault)])
      changes.emit('change')
      return given.length > 0
    },
    finishFoldPart: async (claim, digest) => {
      const [row] = await database.query<{ digest: Digest }>(FINISH, [...keyOf(claim), digest])
      if (row && row.digest !== digest) throw otherSum(claim)
      changes.emit('change')
    },
    listFoldParts: async (planDigest) => {
      const rows = await database.query<{ part: number; digest: Digest | null }>(
        'SELECT part, digest FROM fold_parts WHERE plan_digest = $1 ORDER BY part',
        [planDigest],
      )
      return rows.map(({ part, digest }) => ({ part, ...(digest !== null && { digest }) }))
    },
    readSealedSet: async (planDigest) => {
      const [round] = await database.query<{ plan: string; manifest: string }>(
        `SELECT plan_envelope::text AS plan, manifest::text AS manifest FROM rounds
         WHERE plan_digest = $1 AND manifest IS NOT NULL`,
        [planDigest],
      )
      if (!round) throw notSealed('not-found', planDigest)
      return { plan: decodeEnvelope(round.plan), manifest: decodeEnvelope(round.manifest) }
    },
    onFoldChange: (listener) => {
      changes.on('change', listener)
      const stopListening = database.listen('sluice_folds', listener)
      return () => {
        changes.off('change', listener)
        stopListening()
      }
    },
  }
}

export function notSealed(code: 'conflict' | 'not-found', planDigest: Digest): StoreError {
  return new StoreError(code, `The round with the plan ${planDigest} has no sealed set to add up: seal it first.`)
}

export function otherSum({ planDigest, part }: FoldClaim): StoreError {
  return new StoreError(
    'conflict',
    `Part ${part} of the sum of ${planDigest} was added up to two sums: look for the machine that adds wrongly.`,
  )
}
