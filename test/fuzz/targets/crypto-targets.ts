import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import {
  createAuthority,
  createSigningRequest,
  type Identity,
  issueCertificate,
  issueFromRequest,
  parseSpiffeId,
  spiffeId,
} from '../../../src/crypto/certificates.ts'
import { decodeEnvelope, encodeEnvelope, isSignedBy, signEnvelope } from '../../../src/crypto/envelope.ts'
import { drawResidues, packShare, unpackShare } from '../../../src/crypto/key-shares.ts'
import { decodeKeySum, encodeKeySum } from '../../../src/crypto/key-sum-encoding.ts'
import { formatLinearHash, parseLinearHash } from '../../../src/crypto/linear-hash.ts'
import { addPacked, packResidues } from '../../../src/crypto/packing.ts'
import { payloadParameters } from '../../../src/crypto/payload-parameters.ts'
import { checkChunk } from '../../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../../src/crypto/payload-schemes.ts'
import { seededRandomness } from '../../../src/crypto/randomness.ts'
import { reduceSums } from '../../../src/crypto/residues.ts'
import { RING_DEGREE } from '../../../src/crypto/ring-constants.ts'
import { boxKeyFromSeed, sealBox } from '../../../src/crypto/sealed-box.ts'
import { SHARED_NUMBERS } from '../../../src/crypto/share-check.ts'
import { statementKeyFromSeed } from '../../../src/crypto/statement-key.ts'
import { refused } from '../../../src/sluice-error.ts'
import { checkOwnCertificate, identityOf } from '../../../src/wire/credentials.ts'
import { type FuzzTarget, target } from '../fuzz-target.ts'

const SEED = new Uint8Array(32).fill(7)
const DAY_MS = 86_400_000
const VENUE = 'hearts.example'
const HOLDER: Identity = { venue: VENUE, role: 'holder', name: 'cleveland' }
const key = statementKeyFromSeed(SEED)
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

/** Envelopes, ciphertexts, shares, boxes and identities. */
export async function cryptoTargets(): Promise<FuzzTarget[]> {
  return [...envelopeTargets(), ...(await chunkTargets()), ...(await shareTargets()), ...(await identityTargets())]
}

function envelopeTargets(): FuzzTarget[] {
  const envelopes = [
    signEnvelope('application/vnd.sluice.v1.job+json', bytesOf('{"a":"é","b":[1,2]}'), key),
    { payloadType: '', payload: new Uint8Array(0), signatures: [] },
  ]
  return [
    target({
      name: 'envelope: DSSE text',
      corpus: envelopes.map((envelope) => bytesOf(encodeEnvelope(envelope))),
      decode: (bytes) => decodeEnvelope(textOf(bytes)),
      encode: (envelope) => bytesOf(encodeEnvelope(envelope)),
      roundTrip: 'value',
    }),
    target({
      name: 'envelope: signature',
      corpus: [envelopes[0].signatures[0].sig],
      decode: (sig) =>
        isSignedBy({ ...envelopes[0], signatures: [{ ...envelopes[0].signatures[0], sig }] }, key.publicKey),
    }),
  ]
}

/** Lengths at and beside the groups of 16 in which residues are packed. */
const CHUNK_LENGTHS = [3, 16, 71, 2048]

async function chunkTargets(): Promise<FuzzTarget[]> {
  const scheme = await createPayloadScheme()
  const planDigest = new Uint8Array(32).fill(1)
  return CHUNK_LENGTHS.flatMap((coefficients) => {
    const parameters = payloadParameters({ precisionBits: 32, maxContributors: 4, length: coefficients })
    const limbs = drawResidues(2 * parameters.coefficientCount, seededRandomness(SEED))
    const corpus = [
      packResidues(limbs, parameters.coefficientCount),
      packResidues(limbs.fill(0), parameters.coefficientCount),
    ]
    const accumulator = scheme.createAccumulator(parameters, planDigest, 0)
    return [
      target({
        name: `ciphertext: chunk of ${parameters.coefficientCount}`,
        corpus,
        decode: (bytes) => {
          checkChunk(parameters, 0, bytes)
          // A refused contribution must leave the sum as it was, and what one path refuses the other must refuse.
          const sums = new Uint32Array(2 * parameters.coefficientCount)
          addPacked(bytes, parameters.coefficientCount, sums)
          reduceSums(sums)
          return sums
        },
        encode: (sums) => packResidues(sums, parameters.coefficientCount),
        roundTrip: 'bytes',
      }),
      target({
        name: `ciphertext: sum of chunks of ${parameters.coefficientCount}`,
        corpus,
        decode: (bytes) => {
          const full = accumulator.contributorCount === parameters.maxContributors
          const sum = full ? scheme.createAccumulator(parameters, planDigest, 0) : accumulator
          sum.add(bytes[0] % 2 === 0 ? bytes : unaligned(bytes))
          if (full) sum.dispose()
        },
      }),
    ]
  })
}

/** A slice of a network buffer seldom begins at a word. */
function unaligned(bytes: Uint8Array): Uint8Array {
  const shifted = new Uint8Array(bytes.length + 1)
  shifted.set(bytes, 1)
  return shifted.subarray(1)
}

async function shareTargets(): Promise<FuzzTarget[]> {
  const share = drawResidues(SHARED_NUMBERS, seededRandomness(SEED))
  const boxKey = await boxKeyFromSeed(SEED)
  const associatedData = bytesOf('round 1')
  const boxes = await Promise.all(
    [packShare(share), new Uint8Array(0)].map((plaintext) => sealBox(boxKey.publicKey, plaintext, associatedData)),
  )
  return [
    target({
      name: 'share: packed',
      corpus: [packShare(share), packShare(new Uint32Array(SHARED_NUMBERS))],
      decode: (bytes) => unpackShare(bytes, SHARED_NUMBERS),
      encode: packShare,
      roundTrip: 'bytes',
    }),
    target({
      name: 'share: sealed box',
      corpus: boxes,
      decode: (bytes) => boxKey.open(bytes, associatedData),
    }),
    target({
      name: 'opening: key sum',
      corpus: [encodeKeySum(new Int32Array(RING_DEGREE).map((_, i) => i - 1024))],
      decode: decodeKeySum,
      encode: encodeKeySum,
      roundTrip: 'bytes',
    }),
    target({
      name: 'opening: linear hash',
      corpus: [bytesOf(formatLinearHash([1n, 2n ** 53n]))],
      decode: (bytes) => parseLinearHash(textOf(bytes)),
      encode: (hash) => bytesOf(formatLinearHash(hash)),
      roundTrip: 'bytes',
    }),
    target({
      name: 'share: public key of a box',
      corpus: [bytesOf(boxKey.publicKey)],
      decode: (bytes) => sealBox(textOf(bytes), new Uint8Array(8), associatedData),
    }),
  ]
}

async function identityTargets(): Promise<FuzzTarget[]> {
  const authority = await createAuthority(VENUE, 10 * DAY_MS)
  const leaf = await issueCertificate(authority, { ...HOLDER, role: 'coordinator' }, DAY_MS, ['localhost', '127.0.0.1'])
  const { signingRequest } = await createSigningRequest(HOLDER)
  const ids = [HOLDER, { venue: 'a', role: 'researcher', name: 'x.y-z' } as const].map(spiffeId)
  return [
    target({
      name: 'identity: SPIFFE id',
      corpus: ids.map(bytesOf),
      decode: (bytes) => parseSpiffeId(textOf(bytes)) ?? refused('not-an-identity', 'no identity'),
      encode: (identity) => bytesOf(spiffeId(identity as Identity)),
      roundTrip: 'bytes',
    }),
    target({
      name: 'identity: subject alternative names',
      corpus: [bytesOf(new X509Certificate(leaf.certificatePem).subjectAltName!), bytesOf(`URI:${ids[0]}`)],
      decode: (bytes) => identityOf(textOf(bytes)) ?? refused('not-an-identity', 'no identity'),
      structured: fc
        .array(fc.tuple(fc.constantFrom('URI:', 'DNS:', 'URI:"', ''), fc.constantFrom(...ids, 'localhost', '", URI:')))
        .map((names) => bytesOf(names.map(([type, name]) => type + name).join(', '))),
    }),
    target({
      name: 'identity: certificate',
      corpus: [bytesOf(leaf.certificatePem)],
      decode: (bytes) => {
        const tls = { keyPem: leaf.keyPem, certificatePem: textOf(bytes), authorityPem: authority.certificatePem }
        return checkOwnCertificate(tls, new Date())
      },
    }),
    target({
      name: 'identity: signing request',
      corpus: [signingRequest],
      decode: (bytes) => issueFromRequest(authority, bytes, HOLDER, DAY_MS),
      allocation: { fixedBytes: 8 * 1024 * 1024, perInputByte: 1024 },
    }),
  ]
}
