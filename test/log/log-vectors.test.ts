import { describe, expect, it } from 'vitest'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { logKeyOf, signCheckpoint } from '../../src/log/checkpoint.ts'
import { cosign, openCosignedCheckpoint, witnessKeyOf } from '../../src/log/cosignature.ts'
import { decodeEntries, encodeEntries } from '../../src/log/entry-bundle.ts'
import { attachPayload, decodeLogEntry, encodeLogEntry } from '../../src/log/log-entry.ts'
import { leafHash } from '../../src/log/merkle-hash.ts'
import { formatSignatureLine, parseNote } from '../../src/log/note.ts'
import { formatNoteKey, parseNoteKey } from '../../src/log/note-key.ts'
import { parseTilePath, type TileAddress, tilePath } from '../../src/log/tile-path.ts'
import { EMPTY_EDGE, edgeRoot, extendEdge } from '../../src/log/tree-edge.ts'
import { verifyConsistency, verifyInclusion } from '../../src/log/verify-proof.ts'
import { addCheckpoint, type WitnessState } from '../../src/log/witness.ts'
import { formatAddCheckpoint, formatCosignatures, parseAddCheckpoint } from '../../src/log/witness-wire.ts'
import vectors from '../vectors/log.json' with { type: 'json' }

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
const keyOf = ({ seed }: { seed: string }) => statementKeyFromSeed(fromHex(seed))
const entries = vectors.entries.map(fromHex)
const headAt = (size: number) => ({ size, root: fromHex(vectors.roots[size]) })
const signer = { origin: vectors.log.origin, key: keyOf(vectors.log) }
const witness = { name: vectors.witness.name, key: keyOf(vectors.witness) }

describe('the log vectors', () => {
  it('have the roots that Certificate Transparency publishes for these entries', () => {
    // From the project's own test data, written down here so that a vector file made anew cannot drift from them.
    expect(vectors.roots[0]).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(vectors.roots[1]).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
    expect(vectors.roots[2]).toBe('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125')
    expect(vectors.roots[3]).toBe('aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77')
    expect(vectors.roots[7]).toBe('ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c')
    expect(vectors.roots[8]).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
  })

  it('are our roots and proofs', () => {
    for (let size = 0; size <= entries.length; size++) {
      const { edge } = extendEdge(EMPTY_EDGE, entries.slice(0, size).map(leafHash))
      expect(Buffer.from(edgeRoot(edge)).toString('hex')).toBe(vectors.roots[size])
    }
    for (const { index, size, proof } of vectors.inclusion) {
      expect(verifyInclusion(headAt(size), index, leafHash(entries[index]), proof.map(fromHex)).ok).toBe(true)
    }
    for (const { oldSize, newSize, proof } of vectors.consistency) {
      expect(verifyConsistency(headAt(oldSize), headAt(newSize), proof.map(fromHex)).ok).toBe(true)
    }
  })

  it('are our keys, checkpoint and cosignature', () => {
    expect(formatNoteKey(logKeyOf(signer))).toBe(vectors.log.vkey)
    expect(formatNoteKey(witnessKeyOf(witness))).toBe(vectors.witness.vkey)
    expect(signCheckpoint(headAt(8), signer)).toBe(vectors.checkpoint)
    const line = formatSignatureLine(cosign(parseNote(vectors.checkpoint).text, witness, vectors.witness.cosignedAtS))
    expect(vectors.cosignedCheckpoint).toBe(vectors.checkpoint + line)
    const policy = { log: parseNoteKey(vectors.log.vkey), witnesses: [parseNoteKey(vectors.witness.vkey)], quorum: 1 }
    expect(openCosignedCheckpoint(parseNote(vectors.cosignedCheckpoint), policy).ok).toBe(true)
  })

  it("are our witness's request and answer", () => {
    const { oldSize, request, response } = vectors.addCheckpoint
    expect(formatAddCheckpoint(parseAddCheckpoint(request))).toBe(request)
    const known: WitnessState = new Map([[signer.origin, { latest: signCheckpoint(headAt(oldSize), signer) }]])
    const config = { logs: [logKeyOf(signer)], signer: witness }
    const { answer } = addCheckpoint(known, parseAddCheckpoint(request), config, vectors.witness.cosignedAtS)
    expect(answer.kind === 'cosigned' && formatCosignatures([answer.cosignature])).toBe(response)
  })

  it('are our tile paths and bundles', () => {
    for (const { path, ...address } of vectors.tilePaths) {
      expect(tilePath(address as TileAddress)).toBe(path)
      expect(parseTilePath(path)).toEqual(address)
    }
    const bundle = vectors.bundle.entries.map(fromHex)
    expect(Buffer.from(encodeEntries(bundle)).toString('hex')).toBe(vectors.bundle.bytes)
    expect(decodeEntries(fromHex(vectors.bundle.bytes), bundle.length)).toEqual(bundle)
  })

  it('are our entries of a small and a large statement', () => {
    const { whole, detached } = vectors.logEntries
    expect(decodeLogEntry(Buffer.from(whole)).kind).toBe('whole')
    const entry = decodeLogEntry(Buffer.from(detached))
    if (entry.kind !== 'detached') throw new Error('the entry is whole')
    const statement = attachPayload(
      entry,
      new Uint8Array(80_000).map((_, i) => i),
    )
    expect(Buffer.from(encodeLogEntry(statement)).toString()).toBe(detached)
  })
})
