import { refused, type Verdict } from '../../src/sluice-error.ts'
import type { HolderJournal } from './journal.ts'

/*
 * A node that does not know what it has done might do it again: contribute twice to a question, stand by a second set. It notices by its
 * own signatures, which nobody else can make, on what its journal does not have: a contribution, a cosignature, a share check, the
 * hash of a ciphertext. Each is durable here before it leaves, so that a node which was only killed never meets one. From the first on it
 * refuses everything, for ever (docs/OPERATING.md says what its operator does).
 */

export function loseMemory(journal: HolderJournal, evidence: string): Verdict<never, 'memory-lost'> {
  journal.noteLostMemory(evidence)
  return withoutMemory(evidence)
}

/** The refusal of everything, once there was such evidence. */
export function refuseWithoutMemory(journal: HolderJournal): Verdict<never, 'memory-lost'> | undefined {
  const evidence = journal.readLostMemory()
  return evidence === undefined ? undefined : withoutMemory(evidence)
}

function withoutMemory(evidence: string): Verdict<never, 'memory-lost'> {
  return refused(
    'memory-lost',
    `The journal of this holder was put back to an earlier state, or a copy of it is in use elsewhere (${evidence}): stop every copy, and join again under a new name.`,
  )
}
