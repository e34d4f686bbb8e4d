import { writeFileSync } from 'node:fs'
import {
  keyShareVectors,
  linearHashVectors,
  payloadVectors,
  publicPolynomialVectors,
  shareCheckVectors,
} from './crypto-vectors.ts'
import { logVectors } from './log-vectors.ts'
import { envelopeVectors, planVectors, registryVectors, roundVectors, sealedBoxVectors } from './statement-vectors.ts'

/*
 * Makes the files of this folder: `node test/vectors/write-vectors.ts`. Everything follows from fixed seeds, so the files
 * change only with a format, and a change is for the changelog (README.md beside this).
 */

const VECTORS = {
  envelope: envelopeVectors,
  'key-shares': keyShareVectors,
  'linear-hash': linearHashVectors,
  log: logVectors,
  payload: payloadVectors,
  'plan-digest': planVectors,
  'public-polynomials': publicPolynomialVectors,
  registry: registryVectors,
  round: roundVectors,
  'sealed-box': sealedBoxVectors,
  'share-check': shareCheckVectors,
}

/** The text of every vector file by its name. */
export async function makeVectorFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const [name, make] of Object.entries(VECTORS)) files.set(`${name}.json`, `${layOut(await make(), '', 0)}\n`)
  return files
}

const LINE_WIDTH = 120

/** JSON as the formatter has it: objects always, arrays when they are too long for a line, one element a line. */
function layOut(value: unknown, indent: string, column: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inner = `${indent}  `
  if (Array.isArray(value)) {
    const line = value.some(holdsObject) ? undefined : layInLine(value)
    // One more for the comma that may follow.
    if (line !== undefined && column + line.length + 1 <= LINE_WIDTH) return line
    return `[\n${value.map((each) => inner + layOut(each, inner, inner.length)).join(',\n')}\n${indent}]`
  }
  const fields = Object.entries(value).map(([name, each]) => {
    const start = `${inner}${JSON.stringify(name)}: `
    return start + layOut(each, inner, start.length)
  })
  return `{\n${fields.join(',\n')}\n${indent}}`
}

function layInLine(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(layInLine).join(', ')}]` : JSON.stringify(value)
}

function holdsObject(value: unknown): boolean {
  return Array.isArray(value) ? value.some(holdsObject) : typeof value === 'object' && value !== null
}

if (import.meta.main) {
  for (const [name, text] of await makeVectorFiles()) writeFileSync(new URL(name, import.meta.url), text)
}
