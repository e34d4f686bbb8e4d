import type { Digest } from '../crypto/digest.ts'
import type { Refusal } from './protocol-error.ts'
import type { StatementKind } from './statement.ts'

/** What an audit of statements finds: why a role refuses the same thing, or what only the order of the log shows. */
export type FindingCode =
  | Refusal
  // any statement
  | 'payload-missing'
  | 'unknown-kind'
  // plan
  | 'job-not-logged'
  | 'job-mismatch'
  | 'plan-not-logged'
  | 'repeated-round'
  | 'registry-not-logged'
  | 'head-not-logged'
  | 'member-has-left'
  | 'input-not-published'
  // round
  | 'wrong-order'
  | 'second-candidates'
  | 'second-share-check'
  | 'second-dealing'
  | 'second-manifest'
  | 'second-certificate'
  | 'second-publication'
  | 'candidates-mismatch'
  | 'shares-disputed'
  | 'manifest-mismatch'
  | 'bad-endorsement'
  | 'sum-unverified'
  | 'after-abandonment'
  | 'published-and-abandoned'
  | 'question-asked-again'
  | 'question-answered-twice'
  | 'round-open'

/**
 * One thing that an auditor should know. A *fault*: somebody broke a rule; the coordinator, unless a holder is named. A
 * *remark*: nobody did, or it cannot be told, and something that one might expect is missing.
 */
export interface Finding {
  readonly severity: 'fault' | 'remark'
  /** Of the entry, from 0; of a round that is left open, its plan's. */
  readonly position: number
  readonly code: FindingCode
  /** For people. Quotes what strangers wrote: clean it before a terminal shows it. */
  readonly reason: string
  readonly plan?: Digest
  readonly holder?: string
}

/** What is said against a statement by a rule, which does not know where the statement stands. */
export interface Objection {
  readonly code: FindingCode
  readonly reason: string
  readonly holder?: string
  readonly severity?: 'remark'
  /** Kinds of which one may be missing in the log; if the payload of such a statement is not here, this is a remark. */
  readonly restsOn?: readonly Pick<StatementKind<unknown>, 'payloadType'>[]
}

/** What the statements say altogether. */
export interface StatementSummary {
  /** As of the end, by name. */
  readonly members: readonly { readonly holder: string; readonly organisation: string }[]
  readonly organisations: number
  readonly jobs: number
  readonly rounds: { readonly published: number; readonly abandoned: number; readonly open: number }
  /** Published sums that carry the signed hashes of all their contributors: whose holders could verify them. */
  readonly sumsWithAllHashes: number
  /** Contributors that share checks left out, and the members with whom they did not agree. */
  readonly exclusions: readonly {
    readonly plan: Digest
    readonly holder: string
    readonly members: readonly string[]
  }[]
  /** Members whose share checks were set aside. */
  readonly setAside: readonly { readonly plan: Digest; readonly member: string }[]
}
