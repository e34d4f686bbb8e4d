import { z } from 'zod'
import { decodeInvite, encodeInvite } from '../../../src/cli/invite.ts'
import { signEnvelope, statementDigest } from '../../../src/crypto/envelope.ts'
import { boxKeyFromSeed } from '../../../src/crypto/sealed-box.ts'
import { statementKeyFromSeed } from '../../../src/crypto/statement-key.ts'
import { decodeEntries, encodeEntries } from '../../../src/log/entry-bundle.ts'
import { encodeLogEntry } from '../../../src/log/log-entry.ts'
import { EMPTY_ROOT, leafHash, nodeHash } from '../../../src/log/merkle-hash.ts'
import { candidatesSchema, candidatesStatement } from '../../../src/protocol/candidates.ts'
import { dealingSchema } from '../../../src/protocol/dealing.ts'
import { judgeShares } from '../../../src/protocol/judge-shares.ts'
import { applyRegistryStatement, emptyRegistry } from '../../../src/protocol/registry.ts'
import { applicationStatement, embedStatement, membershipStatement } from '../../../src/protocol/registry-statements.ts'
import { readRoundLog } from '../../../src/protocol/round-log.ts'
import { roundPlanStatement } from '../../../src/protocol/round-plan.ts'
import { shareCheckSchema, shareCheckStatement } from '../../../src/protocol/share-check.ts'
import { signStatement } from '../../../src/protocol/statement.ts'
import { refused } from '../../../src/sluice-error.ts'
import { type FuzzTarget, target } from '../fuzz-target.ts'
import { FUZZ_PLAN } from './fuzz-plan.ts'

const key = statementKeyFromSeed(new Uint8Array(32).fill(3))
const AT = '2026-03-01T12:00:00.000Z'
const plan = signStatement(roundPlanStatement, FUZZ_PLAN, key)
const planDigest = statementDigest(plan)
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))

/** What is decided by several messages together, once each of them is read. */
export async function protocolTargets(): Promise<FuzzTarget[]> {
  return [roundLogTarget(), shareVerdictTarget(), await registryTarget(), inviteTarget()]
}

const CANDIDATES = {
  plan: planDigest,
  contributions: FUZZ_PLAN.cohort.map(({ holder }) => ({
    holder,
    contribution: '1'.repeat(64),
    payload: '2'.repeat(64),
  })),
  nonce: 'c'.repeat(64),
  closedAt: AT,
}

function shareChecks(candidates: string) {
  return FUZZ_PLAN.committee.members.map((member, i) => ({
    plan: planDigest,
    candidates,
    member,
    combinations: CANDIDATES.contributions.map(({ holder }) => ({ holder, values: [i, 2 * i, 7] })),
    unopenable: [],
  }))
}

/** The log behind a plan: the input is all entries after it, under a checkpoint of exactly these. */
function roundLogTarget(): FuzzTarget {
  const candidates = signStatement(candidatesStatement, CANDIDATES, key)
  const checks = shareChecks(statementDigest(candidates)).map((check) => signStatement(shareCheckStatement, check, key))
  const other = signEnvelope('application/vnd.sluice.v1.job+json', bytesOf('{}'), key)
  const entries = [candidates, ...checks, other].map(encodeLogEntry)
  return target({
    name: 'protocol: log of a round',
    corpus: [encodeEntries(entries), encodeEntries(entries.slice(0, 2))],
    decode: (bytes) => {
      const range = { start: 0, before: [], entries: [encodeLogEntry(plan), ...splitEntries(bytes)], payloads: [bytes] }
      const checkpoint = { origin: 'x', size: range.entries.length, root: rootOf(range.entries), extensions: [] }
      return readRoundLog(FUZZ_PLAN, plan, range, checkpoint, key.publicKey)
    },
    allocation: { fixedBytes: 4 * 1024 * 1024, perInputByte: 256 },
  })
}

/** As many whole entries as there are. */
function splitEntries(bytes: Uint8Array): Uint8Array[] {
  let [count, end] = [0, 0]
  for (let next = 2; next <= bytes.length; count++) {
    next = end + 2 + ((bytes[end] << 8) | bytes[end + 1])
    if (next > bytes.length) break
    end = next
    next = end + 2
  }
  return decodeEntries(bytes.subarray(0, end), count)
}

/** MTH of RFC 6962 §2.1. */
function rootOf(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return EMPTY_ROOT
  if (entries.length === 1) return leafHash(entries[0])
  let split = 1
  while (split * 2 < entries.length) split *= 2
  return nodeHash(rootOf(entries.slice(0, split)), rootOf(entries.slice(split)))
}

function shareVerdictTarget(): FuzzTarget {
  const form = z.object({
    candidates: candidatesSchema,
    checks: z.array(shareCheckSchema).max(15),
    dealings: z.array(dealingSchema).max(15),
  })
  const checks = shareChecks('b'.repeat(64))
  const wrong = CANDIDATES.contributions.map(({ holder }) => ({ holder, values: [5, 5, 5] }))
  const off = checks.map((check, i) => (i === 1 ? { ...check, combinations: wrong } : check))
  const dealing = {
    plan: planDigest,
    candidates: 'b'.repeat(64),
    holder: 'hungary',
    combinations: FUZZ_PLAN.committee.members.map((member, i) => ({ member, values: [i, 2 * i, 7] })),
  }
  return target({
    name: 'protocol: verdict on shares',
    corpus: [checks, off, checks.slice(1)].map((each, i) =>
      bytesOf(JSON.stringify({ candidates: CANDIDATES, checks: each, dealings: i === 0 ? [] : [dealing] })),
    ),
    decode: (bytes) => {
      const read = form.safeParse(parseJson(bytes))
      return read.success
        ? judgeShares(FUZZ_PLAN, read.data.candidates, read.data.checks, read.data.dealings)
        : refused('malformed-check', 'Not what the schemas let through.')
    },
    // The schemas are those of the statements, and are measured there.
    allocation: { fixedBytes: 4 * 1024 * 1024, perInputByte: 2048 },
  })
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}

/** A registry's next statement: the payload of a membership that the coordinator signed. */
async function registryTarget(): Promise<FuzzTarget> {
  const venue = 'hearts.example'
  const holderKey = statementKeyFromSeed(new Uint8Array(32).fill(4))
  const boxKey = await boxKeyFromSeed(new Uint8Array(32).fill(5))
  const member = {
    holder: 'cleveland',
    organisation: 'Cleveland Clinic',
    statementKey: holderKey.publicKey,
    boxKey: boxKey.publicKey,
  }
  const application = signStatement(applicationStatement, { venue, member }, holderKey)
  const body = { venue, sequence: 1, application: embedStatement(application), admittedAt: AT }
  return target({
    name: 'protocol: next statement of a registry',
    corpus: [signStatement(membershipStatement, body, key).payload],
    decode: (payload) =>
      applyRegistryStatement(
        emptyRegistry(venue),
        signEnvelope(membershipStatement.payloadType, payload, key),
        key.publicKey,
      ),
    allocation: { fixedBytes: 2 * 1024 * 1024, perInputByte: 128 },
  })
}

function inviteTarget(): FuzzTarget {
  const invite = {
    version: 1,
    venue: 'hearts.example',
    role: 'holder',
    name: 'cleveland',
    enrol: '127.0.0.1:7444',
    coordinator: '127.0.0.1:7443',
    authority: '1'.repeat(64),
    coordinatorKey: '2'.repeat(64),
    logKey: 'hearts.example/log+00000000+AAAA',
    secret: '3'.repeat(64),
  } as const
  return target({
    name: 'protocol: invite',
    corpus: [bytesOf(encodeInvite(invite))],
    decode: (bytes) => decodeInvite(Buffer.from(bytes).toString('utf8')),
    encode: (value) => bytesOf(encodeInvite(value)),
    roundTrip: 'value',
  })
}
