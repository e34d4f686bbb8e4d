import type { RandomStream } from './random-stream.ts'

/** Parses larger texts seldom enough not to matter. */
const JSON_BYTES_MAX = 256 * 1024
const INFLATED_ELEMENTS_MAX = 100_000
/** What lies deeper is kept as it is written. */
const DEPTH_MAX = 60

/** A JSON value with its members in order, equal names kept apart: what `JSON.stringify` cannot write. */
type Node =
  | { readonly kind: 'object'; readonly members: [name: string, value: Node][] }
  | { readonly kind: 'array'; readonly elements: Node[] }
  /** As it is written. */
  | { readonly kind: 'scalar'; text: string }

/**
 * Spoils the structure of a JSON text, wherever in the bytes it begins (a length or a header may stand before it):
 * members left out, doubled, renamed, of another type; numbers at the edges; nesting; arrays blown up.
 * @returns undefined when the bytes hold no JSON object
 */
export function mutateJson(bytes: Uint8Array, random: RandomStream): Uint8Array | undefined {
  const start = bytes.indexOf(0x7b)
  if (start < 0 || bytes.length > JSON_BYTES_MAX) return undefined
  const root = read(Buffer.from(bytes.subarray(start)).toString('utf8'))
  if (!root) return undefined
  const nodes = list(root)
  random.pick(TRICKS)(random.pick(nodes), random, nodes)
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(write(root, random.oneIn(8) ? ' ' : ''), 'utf8')])
}

type Trick = (node: Node, random: RandomStream, nodes: readonly Node[]) => void

const leaveOut: Trick = (node, random) => {
  if (node.kind === 'scalar') node.text = 'null'
  else if (size(node) > 0) itemsOf(node).splice(random.below(size(node)), 1)
}
const double: Trick = (node, random) => {
  if (node.kind === 'scalar' || size(node) === 0) return
  const items: unknown[] = itemsOf(node)
  items.splice(random.below(items.length + 1), 0, random.pick(items))
}
const rename: Trick = (node, random) => {
  if (node.kind !== 'object' || node.members.length === 0) return
  const member = random.pick(node.members)
  member[0] = random.oneIn(3) ? JSON.stringify(random.pick(ODD_NAMES)) : random.pick(node.members)[0]
}
const add: Trick = (node, random, nodes) => {
  const value = random.oneIn(2) ? random.pick(nodes) : odd(random)
  // A node put into itself would never end.
  const copy = structuredClone(value)
  if (node.kind === 'object') node.members.push([JSON.stringify(random.pick(ODD_NAMES)), copy])
  if (node.kind === 'array') node.elements.push(copy)
}
const replace: Trick = (node, random) => become(node, odd(random))
const exchange: Trick = (node, random, nodes) => become(node, structuredClone(random.pick(nodes)))
const inflate: Trick = (_, random, nodes) => {
  const arrays = nodes.filter((node) => node.kind === 'array')
  if (arrays.length === 0) return
  const node = random.pick(arrays)
  const element = node.elements[0] ?? odd(random)
  const count = random.oneIn(4) ? random.below(INFLATED_ELEMENTS_MAX) : random.below(500)
  // Of scalars only in great number: the text would be as large as any peer may send.
  const small: Node = random.oneIn(2) && count < 500 ? element : odd(random)
  node.elements.push(...Array<Node>(small.kind === 'scalar' && small.text.length < 8 ? count : count % 500).fill(small))
}
const nest: Trick = (node, random) => {
  const depth = random.pick([2, 40, 1000, 20_000])
  become(node, { kind: 'scalar', text: '['.repeat(depth) + ']'.repeat(depth) })
}
const escapeText: Trick = (node) => {
  if (node.kind === 'scalar' && /^"[ -~]+"$/.test(node.text) && !node.text.includes('\\')) {
    const codes = [...node.text.slice(1, -1)].map((character) => character.charCodeAt(0))
    node.text = `"${codes.map((code) => `\\u${code.toString(16).padStart(4, '0')}`).join('')}"`
  }
}

const TRICKS: readonly Trick[] = [leaveOut, double, rename, add, replace, replace, exchange, inflate, nest, escapeText]

const ODD_NAMES = ['__proto__', 'constructor', 'toString', 'length', '', 'payload', 'plan', '\u0000', '0', '-1', 'then']
const ODD_VALUES = [
  ...['null', 'true', 'false', '0', '-0', '-1', '1.5', '1e400', '-1e400', '5e-324', '9007199254740993', '4294967296'],
  ...['""', '"\\u0000"', '"\\ud800"', '"__proto__"', '"NaN"', '[]', '{}', '[[]]', '{"__proto__":null}', '"\\u202e"'],
  ...[
    `"${'a'.repeat(64)}"`,
    `"${'A'.repeat(64)}"`,
    `"${'9'.repeat(400)}"`,
    `"${'x'.repeat(70_000)}"`,
    '"AA=="',
    '"AB=="',
  ],
]

function odd(random: RandomStream): Node {
  return { kind: 'scalar', text: random.pick(ODD_VALUES) }
}

function become(node: Node, other: Node): void {
  for (const key of Object.keys(node)) delete (node as Record<string, unknown>)[key]
  Object.assign(node, other)
}

function itemsOf(node: Exclude<Node, { kind: 'scalar' }>): unknown[] {
  return node.kind === 'object' ? node.members : node.elements
}

function size(node: Exclude<Node, { kind: 'scalar' }>): number {
  return itemsOf(node).length
}

function read(text: string): Node | undefined {
  try {
    return fromValue(JSON.parse(text), 0)
  } catch {
    return undefined
  }
}

function fromValue(value: unknown, depth: number): Node {
  if (typeof value !== 'object' || value === null || depth === DEPTH_MAX) {
    return { kind: 'scalar', text: JSON.stringify(value) }
  }
  if (Array.isArray(value)) return { kind: 'array', elements: value.map((held) => fromValue(held, depth + 1)) }
  const members = Object.entries(value).map(([name, held]): [string, Node] => [
    JSON.stringify(name),
    fromValue(held, depth + 1),
  ])
  return { kind: 'object', members }
}

function list(node: Node): Node[] {
  if (node.kind === 'scalar') return [node]
  const held = node.kind === 'object' ? node.members.map(([, value]) => value) : node.elements
  return [node, ...held.flatMap(list)]
}

function write(node: Node, space: string): string {
  if (node.kind === 'scalar') return node.text
  if (node.kind === 'array')
    return `[${space}${node.elements.map((element) => write(element, space)).join(`,${space}`)}]`
  return `{${space}${node.members.map(([name, value]) => `${name}${space}:${write(value, space)}`).join(',')}}`
}
