import { mutateJson } from './json-mutator.ts'
import { mutateProtobuf, varint } from './protobuf-mutator.ts'
import type { RandomStream } from './random-stream.ts'

/** No mutation makes an input longer: what a peer may send at once (src/wire/limits.ts), divided by what speed allows. */
export const MUTANT_BYTES_MAX = 1024 * 1024

/** One way to spoil bytes. `other` is another input of the same decoder. Gives bytes of their own, or the input itself. */
type Mutation = (bytes: Uint8Array, random: RandomStream, other: Uint8Array) => Uint8Array

/**
 * The mutations by name. Each is a mistake that decoders are known to make something of: a length believed, an end not
 * looked for, a number at the edge of its type, a text that is no text.
 */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flipBit: (bytes, random) => {
    const changed = bytes.slice()
    if (changed.length > 0) changed[random.below(changed.length)] ^= 1 << random.below(8)
    return changed
  },
  setByte: (bytes, random) => {
    const changed = bytes.slice()
    if (changed.length > 0) changed[random.below(changed.length)] = random.pick(EDGE_BYTES)
    return changed
  },
  truncate: (bytes, random) => bytes.slice(0, random.below(bytes.length + 1)),
  cut: (bytes, random) => {
    const [start, end] = span(bytes, random)
    return join(bytes.subarray(0, start), bytes.subarray(end))
  },
  duplicate: (bytes, random) => {
    const [start, end] = span(bytes, random)
    return join(bytes.subarray(0, end), bytes.subarray(start))
  },
  repeat: (bytes, random) => {
    const [start, end] = span(bytes, random)
    const piece = bytes.subarray(start, Math.min(end, start + 64))
    return join(bytes.subarray(0, end), ...Array(1 + random.below(200)).fill(piece), bytes.subarray(end))
  },
  move: (bytes, random) => {
    const [start, end] = span(bytes, random)
    const rest = join(bytes.subarray(0, start), bytes.subarray(end))
    const at = random.below(rest.length + 1)
    return join(rest.subarray(0, at), bytes.subarray(start, end), rest.subarray(at))
  },
  splice: (bytes, random, other) =>
    join(bytes.subarray(0, random.below(bytes.length + 1)), other.subarray(random.below(other.length + 1))),
  insertOther: (bytes, random, other) => {
    const [start, end] = span(other, random)
    return insert(bytes, random, other.subarray(start, end))
  },
  insertNoise: (bytes, random) =>
    insert(
      bytes,
      random,
      Uint8Array.from({ length: 1 + random.below(16) }, () => random.uint32()),
    ),
  /** Overwrites a field of 1, 2, 4 or 8 bytes, of either byte order, where a length, a count or a double may stand. */
  fixedField: (bytes, random) => overwrite(bytes, random, fixedWidth(random)),
  /** Overwrites with the varint of an edge value, where protobuf may have a tag or a length. */
  varintField: (bytes, random) => overwrite(bytes, random, varint(random.pick(EDGE_INTEGERS))),
  insertVarint: (bytes, random) => insert(bytes, random, varint(random.pick(EDGE_INTEGERS))),
  /** A length of protobuf, made to claim more or less than is there. */
  tamperLength: (bytes, random) => {
    const changed = bytes.slice()
    const at = random.below(changed.length + 1)
    if (at < changed.length) changed[at] = (changed[at] + random.below(7) - 3) & 0xff
    return changed
  },
  /** The digits of a number in a text become those of an edge value. */
  decimal: (bytes, random) => {
    const text = Buffer.from(bytes).toString('latin1')
    const numbers = [...text.matchAll(/\d+/g)].slice(0, 64)
    if (numbers.length === 0) return bytes.slice()
    const { index, 0: digits } = random.pick(numbers)
    return join(
      bytes.subarray(0, index),
      Buffer.from(random.pick(EDGE_DECIMALS)),
      bytes.subarray(index + digits.length),
    )
  },
  /** A word of a text becomes another: of base64, of a number, of nothing. */
  word: (bytes, random) => {
    const words = [
      ...Buffer.from(bytes)
        .toString('latin1')
        .matchAll(/[\w+/=-]+/g),
    ].slice(0, 64)
    if (words.length === 0) return bytes.slice()
    const { index, 0: word } = random.pick(words)
    return join(bytes.subarray(0, index), Buffer.from(random.pick(EDGE_WORDS)), bytes.subarray(index + word.length))
  },
  text: (bytes, random) => insert(bytes, random, random.pick(TEXT_TRICKS)),
  /** A line of a text left out, doubled or swapped with the next. */
  lines: (bytes, random) => {
    const lines = Buffer.from(bytes).toString('latin1').split('\n')
    const at = random.below(lines.length)
    const action = random.below(3)
    if (action === 0) lines.splice(at, 1)
    else if (action === 1) lines.splice(at, 0, lines[at])
    else lines.splice(at, 2, ...lines.slice(at, at + 2).reverse())
    return Buffer.from(lines.join('\n'), 'latin1')
  },
  protobuf: (bytes, random) => mutateProtobuf(bytes, random) ?? bytes.slice(),
  json: (bytes, random) => mutateJson(bytes, random) ?? bytes.slice(),
  jsonTwice: (bytes, random) => {
    const once = mutateJson(bytes, random)
    return (once && mutateJson(once, random)) ?? once ?? bytes.slice()
  },
}

/** Where a format is not there its tricks cost little; where it is, all the others seldom come past the parser. */
const NAMES = [...Object.keys(MUTATIONS), ...Array<string>(6).fill('json'), ...Array<string>(4).fill('protobuf')]

/** One to four mutations, one after the other, of an input of the corpus. */
export function mutate(corpus: readonly Uint8Array[], random: RandomStream): Uint8Array {
  let bytes = random.pick(corpus)
  for (let rounds = 1 + (random.oneIn(2) ? 0 : random.below(4)); rounds > 0; rounds--) {
    bytes = MUTATIONS[random.pick(NAMES)](bytes, random, random.pick(corpus))
  }
  return bytes.length > MUTANT_BYTES_MAX ? bytes.slice(0, MUTANT_BYTES_MAX) : bytes
}

const EDGE_BYTES = [0, 1, 0x0a, 0x20, 0x22, 0x2c, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xfe, 0xff]
const EDGE_INTEGERS: readonly bigint[] = [
  ...[0n, 1n, 2n, 127n, 128n, 255n, 256n, 16_383n, 16_384n, 65_535n, 65_536n],
  ...[15n, 31n, 32n, 53n, 63n].flatMap((bits) => [(1n << bits) - 1n, 1n << bits, (1n << bits) + 1n]),
  (1n << 64n) - 1n,
]
const EDGE_DOUBLES = [0, -0, -1, 0.5, 2 ** 53, 2 ** 53 - 1, 1e308, 5e-324, Infinity, -Infinity, NaN]
const EDGE_DECIMALS = [
  ...EDGE_INTEGERS.map(String),
  ...['-1', '-0', '00', '01', '1e3', '1e400', '0x10', '+1', '1.5', '', '٣', '9'.repeat(400)],
]
const EDGE_WORDS = ['', 'A', 'AA==', 'AB==', 'AAAA', 'AAAAAA==', `${'A'.repeat(43)}=`, 'null', 'old', 'x'.repeat(256)]
/** Bytes that look like text and are not, and characters that readers of text disagree about. */
const TEXT_TRICKS: readonly Uint8Array[] = [
  ...[[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff], [0xe2, 0x80], [0xef, 0xbb, 0xbf]],
  ...['\0', '\r', '\r\n', '\n', '\n\n', '\u2028', '\u00a0', '\u202e', '\ufeff', '\ufffd', '\u{1f600}', 'ﬁ', 'é'],
  ...['\\ud800', '\\u0000', '"', '\\', '=', '+', '-', '_', '— ', '\u001b[2J', '__proto__', 'İ'.repeat(40)],
].map((trick) => new Uint8Array(Buffer.from(trick as string)))

function span(bytes: Uint8Array, random: RandomStream): [number, number] {
  const start = random.below(bytes.length + 1)
  return [start, Math.min(bytes.length, start + 1 + random.below(random.oneIn(4) ? bytes.length + 1 : 32))]
}

function join(...pieces: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces))
}

function insert(bytes: Uint8Array, random: RandomStream, piece: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1)
  return join(bytes.subarray(0, at), piece, bytes.subarray(at))
}

function overwrite(bytes: Uint8Array, random: RandomStream, piece: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1)
  return join(bytes.subarray(0, at), piece, bytes.subarray(at + piece.length))
}

function fixedWidth(random: RandomStream): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  const littleEndian = random.oneIn(2)
  if (random.oneIn(4)) {
    view.setFloat64(0, random.pick(EDGE_DOUBLES), littleEndian)
    return new Uint8Array(view.buffer)
  }
  const width = random.pick([1, 2, 4, 8])
  view.setBigUint64(0, random.pick(EDGE_INTEGERS), littleEndian)
  return new Uint8Array(view.buffer, littleEndian ? 0 : 8 - width, width)
}
