import { z } from 'zod'
import { LearningError, type LearningErrorCode } from './learning-error.ts'
import type { Shape } from './model-shapes.ts'

/** Longest JSON header that is read: far above what any model of ours needs (100 MB in the reference reader). */
export const MAX_HEADER_BYTES = 4 * 1024 * 1024

const LENGTH_BYTES = 8
const METADATA = '__metadata__'

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.number()).max(16),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
})

/** Where one tensor's bytes lie, counted from the start of the file. */
export interface TensorLocation {
  readonly name: string
  readonly shape: Shape
  readonly start: number
  readonly end: number
}

/** A checked header: the tensors' locations tile the data exactly, in order. */
export interface SafetensorsHeader {
  readonly tensors: readonly TensorLocation[]
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Lays out the header of tensors that follow each other in the given order: 8 bytes of length, JSON, spaces up to a
 * multiple of 8 so that the data are aligned.
 */
export function encodeHeader(
  tensors: readonly { readonly name: string; readonly shape: Shape; readonly bytes: number }[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const members: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : []
  let offset = 0
  for (const { name, shape, bytes } of tensors) {
    members.push([name, { dtype: 'F32', shape, data_offsets: [offset, offset + bytes] }])
    offset += bytes
  }
  // Not through an object: a member named like an integer would move to the front, `__proto__` would vanish.
  const json = `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
  const text = Buffer.from(json, 'utf8')
  const header = Buffer.alloc(LENGTH_BYTES + Math.ceil(text.length / 8) * 8, ' ')
  header.writeBigUInt64LE(BigInt(header.length - LENGTH_BYTES), 0)
  text.copy(header, LENGTH_BYTES)
  return header
}

/**
 * Reads and checks a header against the length of the whole file, before anything is allocated for its tensors.
 * @throws LearningError `safetensors-*`
 */
export function decodeHeader(file: Uint8Array): SafetensorsHeader {
  const { json, dataStart } = headerText(file)
  const header = parseJsonObject(json)
  const { [METADATA]: metadata = {}, ...entries } = header
  const tensors = Object.entries(entries).map(([name, entry]) => locate(name, entry, dataStart))
  tensors.sort((a, b) => a.start - b.start || a.end - b.end)
  checkTiling(tensors, dataStart, file.length)
  if (!isTexts(metadata)) refuse('safetensors-header-invalid', '__metadata__ must map names to texts')
  return { tensors, metadata }
}

/** Stops at the first that is none: a schema would describe every wrong one of the many that fit into a header. */
function isTexts(metadata: unknown): metadata is Record<string, string> {
  return (
    typeof metadata === 'object' &&
    metadata !== null &&
    !Array.isArray(metadata) &&
    Object.values(metadata).every((text) => typeof text === 'string')
  )
}

function headerText(file: Uint8Array): { json: string; dataStart: number } {
  if (file.length < LENGTH_BYTES) refuse('safetensors-truncated', 'a safetensors file has at least 8 bytes')
  const length = new DataView(file.buffer, file.byteOffset, LENGTH_BYTES).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES)) {
    refuse('safetensors-header-too-large', `the header claims ${length} bytes, at most ${MAX_HEADER_BYTES} are read`)
  }
  const dataStart = LENGTH_BYTES + Number(length)
  if (dataStart > file.length) {
    refuse('safetensors-truncated', `the header needs ${dataStart} bytes, the file has ${file.length}: fetch it again`)
  }
  try {
    const json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      file.subarray(LENGTH_BYTES, dataStart),
    )
    return { json, dataStart }
  } catch (cause) {
    throw new LearningError('safetensors-header-invalid', 'the header is not UTF-8', { cause })
  }
}

function parseJsonObject(json: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new LearningError('safetensors-header-invalid', 'the header is not JSON', { cause })
  }
  if (!json.startsWith('{') || value === null || typeof value !== 'object') {
    refuse('safetensors-header-invalid', 'the header must be a JSON object that starts at its first byte')
  }
  if (hasDuplicateMembers(json)) refuse('safetensors-header-invalid', 'the header names a member twice')
  return value as Record<string, unknown>
}

function locate(name: string, entry: unknown, dataStart: number): TensorLocation {
  const parsed = entrySchema.safeParse(entry)
  if (!parsed.success) {
    refuse('safetensors-header-invalid', `tensor ${show(name)} needs exactly dtype, shape and data_offsets`)
  }
  const { dtype, shape, data_offsets: offsets } = parsed.data
  if (dtype !== 'F32') {
    refuse('safetensors-dtype-unsupported', `tensor ${show(name)} is not F32: convert it to float32`)
  }
  const bytes = floatBytes(name, shape)
  if (offsets[1] - offsets[0] !== bytes) {
    refuse('safetensors-offsets-invalid', `tensor ${show(name)}: its offsets do not span ${bytes} bytes`)
  }
  return { name, shape, start: dataStart + offsets[0], end: dataStart + offsets[1] }
}

/** 4 × product of the axes, with every partial product checked: no overflow, whatever the header claims. */
function floatBytes(name: string, shape: readonly number[]): number {
  let bytes = 4
  for (const axis of shape) {
    if (!Number.isSafeInteger(axis) || axis < 0 || !Number.isSafeInteger(bytes * axis)) {
      refuse('safetensors-shape-invalid', `tensor ${show(name)} has an impossible shape`)
    }
    bytes *= axis
  }
  return bytes
}

/** No hole, no overlap, nothing before, nothing behind: otherwise bytes could hide in a model file. */
function checkTiling(tensors: readonly TensorLocation[], dataStart: number, fileBytes: number): void {
  let position = dataStart
  for (const { name, start, end } of tensors) {
    if (start !== position) {
      refuse('safetensors-offsets-invalid', `tensor ${show(name)} leaves a hole or overlaps another`)
    }
    position = end
  }
  if (position > fileBytes)
    refuse('safetensors-truncated', `the tensors need ${position} bytes, the file has ${fileBytes}`)
  if (position < fileBytes) {
    refuse('safetensors-trailing-bytes', `${fileBytes - position} bytes follow the last tensor: fetch the file again`)
  }
}

/** JSON.parse keeps the last of equal names silently, so the text is scanned. It is known to be valid JSON. */
function hasDuplicateMembers(json: string): boolean {
  const open: (Set<string> | null)[] = []
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : null)
    else if (token === '}' || token === ']') open.pop()
    else if (token.endsWith(':')) {
      const name: string = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1))
      const names = open.at(-1)
      if (names?.has(name)) return true
      names?.add(name)
    }
  }
  return false
}

/** A name as far as a message has room for it: names are the file's, and may be as long as its header. */
function show(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
}

function refuse(code: LearningErrorCode, message: string): never {
  throw new LearningError(code, message)
}
