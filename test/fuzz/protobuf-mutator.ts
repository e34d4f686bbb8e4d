import type { RandomStream } from './random-stream.ts'

/** A field as it stands on the wire (protobuf encoding, Message Structure); of wire type 2 also read as a message, if it is one. */
interface Field {
  /** Number and wire type, a varint. */
  tag: Uint8Array
  /** Without its length, for wire type 2. */
  body: Uint8Array
  readonly message?: Field[]
}

const DEPTH_MAX = 8

/**
 * Spoils the structure of a protobuf message and keeps its lengths right, so that what is wrong is met behind the parser:
 * fields left out, doubled, emptied, moved to another message or under another number.
 * @returns undefined when the bytes are no message
 */
export function mutateProtobuf(bytes: Uint8Array, random: RandomStream): Uint8Array | undefined {
  const root = readMessage(bytes, 0)
  if (!root || root.length === 0) return undefined
  const messages = listMessages(root)
  const message = random.pick(messages)
  const at = random.below(message.length)
  const donor = random.pick(random.pick(messages))
  const action = random.below(6)
  if (action === 0) message.splice(at, 1)
  else if (action === 1) message.splice(at, 0, message[at])
  else if (action === 2) message[at] = { tag: message[at].tag, body: new Uint8Array(0) }
  else if (action === 3) message[at] = { tag: message[at].tag, body: donor.body }
  else if (action === 4) message.splice(at, 0, leaf(donor))
  else message[at] = { ...message[at], tag: Uint8Array.of((message[at].tag[0] & 7) | ((1 + random.below(12)) << 3)) }
  return writeMessage(root)
}

/** A copy without its inner fields: a field that was put into itself would never end. */
function leaf({ tag, body }: Field): Field {
  return { tag, body }
}

function listMessages(fields: Field[]): Field[][] {
  const inner = fields.flatMap(({ message }) => (message && message.length > 0 ? listMessages(message) : []))
  return [fields, ...inner]
}

function readMessage(bytes: Uint8Array, depth: number): Field[] | undefined {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    const field = readField(bytes, at, depth)
    if (!field) return undefined
    fields.push(field.field)
    at = field.end
  }
  return fields
}

function readField(bytes: Uint8Array, start: number, depth: number): { field: Field; end: number } | undefined {
  const bodyStart = skipVarint(bytes, start)
  const tag = bytes.slice(start, bodyStart)
  const type = tag[0] & 7
  if (type === 2) {
    const lengthEnd = skipVarint(bytes, bodyStart)
    const end = lengthEnd + varintAt(bytes, bodyStart, lengthEnd)
    if (end > bytes.length) return undefined
    const body = bytes.slice(lengthEnd, end)
    const message = depth < DEPTH_MAX && body.length > 0 ? readMessage(body, depth + 1) : undefined
    return { field: { tag, body, message }, end }
  }
  const end = type === 0 ? skipVarint(bytes, bodyStart) : bodyStart + (type === 1 ? 8 : type === 5 ? 4 : Number.NaN)
  return end <= bytes.length ? { field: { tag, body: bytes.slice(bodyStart, end) }, end } : undefined
}

function skipVarint(bytes: Uint8Array, start: number): number {
  let end = start
  while (bytes[end] > 127) end++
  return end + 1
}

function varintAt(bytes: Uint8Array, start: number, end: number): number {
  return bytes.subarray(start, end).reduce((sum, byte, i) => sum + (byte & 127) * 2 ** (7 * i), 0)
}

function writeMessage(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(({ tag, body, message }) => {
    const written = message ? writeMessage(message) : body
    return (tag[0] & 7) === 2 ? [tag, varint(written.length), written] : [tag, written]
  })
  return new Uint8Array(Buffer.concat(parts))
}

/** Base 128, least significant group first (protobuf encoding, Base 128 Varints). */
export function varint(value: bigint | number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt(value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Uint8Array.from([...bytes, Number(rest)])
}
