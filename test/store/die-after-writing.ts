/**
 * A coordinator that opens the store of the directory in its first argument, seals a round, and is killed in the tick in
 * which its last write resolves. Prints one line: what it was told is stored.
 */
import { writeSync } from 'node:fs'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { someCandidates, someJob, someManifest, someRound } from '../contract/coordinator-fixtures.ts'

const store = await openCoordinatorStore({ directory: process.argv[2] })
const { job, envelope } = someJob()
await store.addJob(job, envelope, new Date())
const round = someRound(job)
await store.addRound(round)
await store.setRoundPhase(round.planDigest, 'checking', { candidates: someCandidates(round) })
const manifest = someManifest(round)
const [position] = await store.appendStatements([manifest])
const line = JSON.stringify({ job, plan: round.planDigest, manifest: statementDigest(manifest), position })
await store.setRoundPhase(round.planDigest, 'sealed', { manifest })
writeSync(1, line)
process.kill(process.pid, 'SIGKILL')
