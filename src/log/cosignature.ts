import { type StatementKey, verifySignature } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { type Checkpoint, openCheckpoint, parseCheckpoint, signaturesOf } from './checkpoint.ts'
import { LogError } from './log-error.ts'
import { formatNote, type Note, type NoteSignature, parseNote, parseSignatureLines } from './note.ts'
import { type NoteKey, noteKeyId, requireKeyName } from './note-key.ts'

const TIMESTAMP_BYTES = 8
const SIGNATURE_BYTES = 64

/** The witness's side of its cosignatures. */
export interface WitnessSigner {
  readonly name: string
  /** May be the holder's statement key: no statement begins with `cosignature/v1`. Never the key of another witness. */
  readonly key: StatementKey
}

/** The public half of a {@link WitnessSigner}. */
export function witnessKeyOf({ name, key }: WitnessSigner): NoteKey {
  return { role: 'witness', name, publicKey: key.publicKey }
}

/** Who must have seen a checkpoint before it is relied on. */
export interface WitnessPolicy {
  readonly log: NoteKey
  /** Distinct names and distinct keys. Whether they are distinct organisations is the caller's to know. */
  readonly witnesses: readonly NoteKey[]
  /** How many of them at least, 0…witnesses.length. */
  readonly quorum: number
}

/** One witness's word: at this time this was the largest tree of the log that it had seen, and it continued all before. */
export interface Cosigner {
  readonly name: string
  /** Seconds since 1970. */
  readonly cosignedAtS: number
}

/**
 * A cosignature/v1 on a checkpoint's note text (tlog-cosignature, Ed25519 signed message). Only the state machine of
 * `witness.ts` knows when one may be given.
 * @param nowS seconds since 1970, an integer
 * @throws LogError `bad-key-name`, `out-of-range`
 */
export function cosign(text: string, signer: WitnessSigner, nowS: number): NoteSignature {
  requireKeyName(signer.name)
  if (!Number.isSafeInteger(nowS) || nowS < 0) {
    throw new LogError('out-of-range', `A cosignature's time is in whole seconds since 1970, not ${nowS}.`)
  }
  const timestamp = Buffer.alloc(TIMESTAMP_BYTES)
  timestamp.writeBigUInt64BE(BigInt(nowS))
  const signature = Buffer.concat([timestamp, signer.key.sign(cosignedMessage(text, nowS))])
  return { keyName: signer.name, keyId: noteKeyId(witnessKeyOf(signer)), signature: new Uint8Array(signature) }
}

/** When the witness cosigned this note text; undefined when the signature is not its. Seconds since 1970. */
export function cosignedAt(text: string, witness: NoteKey, { signature }: NoteSignature): number | undefined {
  if (signature.length !== TIMESTAMP_BYTES + SIGNATURE_BYTES) return undefined
  const timestampS = Number(Buffer.from(signature).readBigUInt64BE(0))
  if (!Number.isSafeInteger(timestampS)) return undefined
  const message = cosignedMessage(text, timestampS)
  const valid = verifySignature(witness.publicKey, message, signature.subarray(TIMESTAMP_BYTES))
  return valid ? timestampS : undefined
}

/**
 * Whether the log signed this note and at least a quorum of the witnesses cosigned it. A signature in the name of a
 * known key that does not verify spoils the note.
 *
 * Refusals: those of `openCheckpoint`, `quorum-not-met`.
 * @throws LogError `malformed-checkpoint`; `bad-witness-set` for a policy that counts somebody twice or cannot be met
 */
export function openCosignedCheckpoint(
  note: Note,
  { log, witnesses, quorum }: WitnessPolicy,
): Verdict<
  { checkpoint: Checkpoint; cosigners: Cosigner[] },
  'wrong-origin' | 'not-signed' | 'bad-signature' | 'quorum-not-met'
> {
  requireDistinct(witnesses, quorum)
  const opened = openCheckpoint(note, log)
  if (!opened.ok) return opened
  const cosigners: Cosigner[] = []
  for (const witness of witnesses) {
    const times = signaturesOf(note, witness).map((signature) => cosignedAt(note.text, witness, signature))
    if (times.includes(undefined)) {
      return refused(
        'bad-signature',
        `A cosignature in the name of ${witness.name} is not its: do not use the checkpoint.`,
      )
    }
    if (times.length > 0) cosigners.push({ name: witness.name, cosignedAtS: Math.max(...times.map(Number)) })
  }
  if (cosigners.length < quorum) {
    const reason = `${cosigners.length} of the ${witnesses.length} witnesses cosigned, ${quorum} must: wait for more.`
    return refused('quorum-not-met', reason)
  }
  return accepted({ checkpoint: opened.value, cosigners })
}

/**
 * The size of the tree that a note is of, when this witness has cosigned it; undefined when it has not, or the note is none. A witness
 * that is shown its own word on a larger tree than it remembers has lost its memory, or is not the only one with its key.
 */
export function cosignedSize(note: string, witness: NoteKey): number | undefined {
  try {
    const parsed = parseNote(note)
    const isSigned = signaturesOf(parsed, witness).some((line) => cosignedAt(parsed.text, witness, line) !== undefined)
    return isSigned ? parseCheckpoint(parsed.text).size : undefined
  } catch (fault) {
    if (fault instanceof LogError) return undefined
    throw fault
  }
}

/**
 * The note with the valid cosignatures among these lines (a witness's answer); the rest is dropped, so that a faulty
 * witness cannot spoil what the log publishes. A later cosignature of the same witness replaces the earlier.
 * @throws LogError `malformed-note`
 */
export function addCosignatures(note: string, lines: string, witnesses: readonly NoteKey[]): string {
  const { text, signatures } = parseNote(note)
  let merged = signatures
  for (const line of parseSignatureLines(lines)) {
    const witness = witnesses.find((key) => key.name === line.keyName && noteKeyId(key) === line.keyId)
    if (!witness || cosignedAt(text, witness, line) === undefined) continue
    merged = [...merged.filter(({ keyName, keyId }) => keyName !== line.keyName || keyId !== line.keyId), line]
  }
  return formatNote({ text, signatures: merged })
}

/** `cosignature/v1`, the time, the whole note text (tlog-cosignature, Ed25519 signed message). */
function cosignedMessage(text: string, timestampS: number): Uint8Array {
  return Buffer.from(`cosignature/v1\ntime ${timestampS}\n${text}`, 'utf8')
}

function requireDistinct(witnesses: readonly NoteKey[], quorum: number): void {
  const names = new Set(witnesses.map(({ name }) => name))
  const keys = new Set(witnesses.map(({ publicKey }) => publicKey))
  const distinct = names.size === witnesses.length && keys.size === witnesses.length
  const roles = witnesses.every(({ role }) => role === 'witness')
  if (!distinct || !roles || !Number.isInteger(quorum) || quorum < 0 || quorum > witnesses.length) {
    const reason = `${quorum} of ${witnesses.length} is not a quorum of distinct witnesses: correct the list of witnesses.`
    throw new LogError('bad-witness-set', reason)
  }
}
