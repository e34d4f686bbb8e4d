import type { Digest } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { addLinearHashes, formatLinearHash, type LinearHash, parseLinearHash } from '../crypto/linear-hash.ts'
import { chunkGeometry } from '../crypto/payload-parameters.ts'
import { type CoordinatorRound, manifestOf } from '../protocol/coordinator-round.ts'
import { hashChallenge, payloadHashStatement } from '../protocol/payload-hash.ts'
import type { SignedHash } from '../protocol/publication.ts'
import { findMember, planParameters } from '../protocol/round-plan.ts'
import { readStatement } from '../protocol/statement.ts'
import { refused, type Verdict } from '../sluice-error.ts'
import { askHolders } from './ask-holders.ts'
import { logForm } from './certify-manifest.ts'
import type { FoldingParts } from './fold-part.ts'
import type { HolderDirectory, HolderRefusal, ReceivedReply } from './ports.ts'

export interface HashCollection {
  /**
   * The signed hashes that fit the ciphertexts, in the manifest's order.
   * @param hash of the sum that was opened
   * @param patienceMs how long contributors that have not answered yet are waited for
   */
  end(hash: LinearHash, patienceMs: number): Promise<SignedHash[]>
  /** When the round does not end well. */
  abandon(): void
}

interface ContributorHash {
  readonly holder: string
  readonly envelope: Envelope
  readonly hash: LinearHash
}

/**
 * Asks every contributor of a sealed round for the hash of its ciphertext (protocol §4.7, docs/adr/0011). Runs beside
 * certifying and opening; one that gives none, or one that does not fit its ciphertext, is noted, and leaves the sum unverified.
 */
export function collectHashes(
  round: CoordinatorRound,
  sum: Digest,
  holders: HolderDirectory,
  parts: FoldingParts,
  note: (note: { holder: string; code: string; reason: string }) => void,
): HashCollection {
  const patience = new AbortController()
  const contributors = manifestOf(round).contributions.map(({ holder }) => holder)
  const request = {
    kind: 'hash-payload',
    planDigest: round.planDigest,
    manifest: logForm(round.manifest!),
    sum,
  } as const
  const received: ContributorHash[] = []
  const collect = async () => {
    const ask = (holder: string, signal: AbortSignal) => holders.ask(holder, request, signal)
    for await (const { holder, verdict } of askHolders(contributors, ask, patience.signal)) {
      const read = verdict.ok ? readHash(round, sum, holder, verdict.value) : verdict
      if (read.ok) received.push(read.value)
      else note({ holder, code: read.code, reason: read.reason })
    }
  }
  const collected = collect()
  // A fault is met where the round waits for the hashes; until then it must not end the process.
  collected.catch(() => undefined)
  return {
    end: async (hash, patienceMs) => {
      const timer = setTimeout(() => patience.abort(), patienceMs)
      await collected.finally(() => clearTimeout(timer))
      const fitting = await keepFitting(round, sum, received, contributors.length, hash, parts, note)
      return contributors.flatMap((holder) => {
        const found = fitting.find((each) => each.holder === holder)
        return found ? [toSignedHash(found)] : []
      })
    },
    abandon: () => patience.abort(),
  }
}

function toSignedHash({ holder, hash, envelope }: ContributorHash): SignedHash {
  const signature = Buffer.from(envelope.signatures[0].sig).toString('base64')
  return { holder, hash: formatLinearHash(hash), signature }
}

function readHash(
  round: CoordinatorRound,
  sum: Digest,
  holder: string,
  reply: ReceivedReply,
): Verdict<ContributorHash, HolderRefusal> {
  if (reply.kind !== 'payload-hash') {
    return refused('malformed-message', `${holder} answered something else than it was asked.`)
  }
  const { envelope } = reply
  const read = readStatement(payloadHashStatement, envelope, findMember(round.plan, holder)!.statementKey)
  if (!read.ok) return read
  const { plan, manifest, hash } = read.value
  const isOurs = plan === round.planDigest && manifest === statementDigest(round.manifest!) && read.value.sum === sum
  if (!isOurs || read.value.holder !== holder || envelope.signatures.length !== 1) {
    return refused('bad-payload-hash', `The payload hash of ${holder} is of another round.`)
  }
  return { ok: true, value: { holder, envelope, hash: parseLinearHash(hash) } }
}

/**
 * Leaves out the hashes that do not fit. When all are there one comparison says that all fit; otherwise each is compared
 * with the ciphertext that its contributor uploaded.
 */
async function keepFitting(
  round: CoordinatorRound,
  sum: Digest,
  received: readonly ContributorHash[],
  expected: number,
  sumHash: LinearHash,
  parts: FoldingParts,
  note: (note: { holder: string; code: string; reason: string }) => void,
): Promise<ContributorHash[]> {
  const total = addLinearHashes(received.map(({ hash }) => hash))
  if (received.length === expected && formatLinearHash(total) === formatLinearHash(sumHash)) return [...received]
  const fitting: ContributorHash[] = []
  for (const each of received) {
    if (formatLinearHash(each.hash) === formatLinearHash(await hashUploaded(round, sum, each.holder, parts))) {
      fitting.push(each)
      continue
    }
    note({
      holder: each.holder,
      code: 'bad-payload-hash',
      reason: `The payload hash of ${each.holder} is not of the ciphertext that it uploaded: the sum stays unverified.`,
    })
  }
  return fitting
}

async function hashUploaded(
  round: CoordinatorRound,
  sum: Digest,
  holder: string,
  { spool, workers }: FoldingParts,
): Promise<LinearHash> {
  const parameters = planParameters(round.plan)
  const challenge = hashChallenge(statementDigest(round.manifest!), sum)
  const hashing = workers.beginHashing({ parameters, challenge })
  for (let index = 0; index < parameters.chunkCount; index++) {
    const offset = index * chunkGeometry(parameters, 0).bytes
    await hashing.add(index, await spool.read(round.planDigest, holder, offset, chunkGeometry(parameters, index).bytes))
  }
  return hashing.end()
}
