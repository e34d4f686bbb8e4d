import { readFile } from 'node:fs/promises'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { ConfigurationError } from './configuration-error.ts'

/** Variables by name, as of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A schema of a configuration: an object whose fields have names. */
export type FieldsSchema = z.ZodType & { readonly shape: Readonly<Record<string, z.ZodType>> }

/** What the file and the environment say together, not checked yet, and which variable a field comes from. */
export interface Overlay {
  readonly input: unknown
  readonly variables: ReadonlyMap<string, string>
}

/** The variable of a field: `committeeTimeoutMs` is `SLUICE_COMMITTEE_TIMEOUT_MS`. */
export function variableOf(field: string): string {
  return `SLUICE_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/**
 * Lays the environment over what a configuration file says, field by field of the schema: `SLUICE_<FIELD>` has the value, or
 * `SLUICE_<FIELD>_FILE` the path of a file that has it. A value is taken as text where the field takes that text, and as YAML
 * otherwise. An empty variable counts as none.
 * @param file what the file says; anything but an object is left to the schema to refuse
 * @throws ConfigurationError `environment-invalid`; the message quotes no value
 */
export async function overlayEnvironment(schema: FieldsSchema, file: unknown, env: Environment): Promise<Overlay> {
  const variables = new Map<string, string>()
  const values: Record<string, unknown> = {}
  for (const [field, fieldSchema] of Object.entries(schema.shape)) {
    const found = await readVariable(variableOf(field), env)
    if (!found) continue
    variables.set(field, found.variable)
    values[field] = fieldSchema.safeParse(found.text).success ? found.text : parseValue(found)
  }
  if (variables.size === 0 || typeof file !== 'object' || Array.isArray(file)) return { input: file, variables }
  return { input: { ...file, ...values }, variables }
}

interface Found {
  readonly variable: string
  readonly text: string
}

/**
 * A variable, or the content of the file that the variable of the same name with `_FILE` names, without the line's end.
 * @throws ConfigurationError `environment-invalid` when both are set, or the file cannot be read
 */
export async function readVariable(variable: string, env: Environment): Promise<Found | undefined> {
  const text = env[variable]
  const path = env[`${variable}_FILE`]
  if (text && path) {
    throw new ConfigurationError('environment-invalid', `${variable} and ${variable}_FILE are both set: unset one.`)
  }
  if (text) return { variable, text }
  if (!path) return undefined
  try {
    return { variable: `${variable}_FILE`, text: (await readFile(path, 'utf8')).replace(/\r?\n$/, '') }
  } catch (cause) {
    throw new ConfigurationError(
      'environment-invalid',
      `${path}, which ${variable}_FILE names, cannot be read: check that it exists and that this user may read it.`,
      { cause },
    )
  }
}

function parseValue({ variable, text }: Found): unknown {
  try {
    return parseYaml(text)
  } catch {
    // The parser's message quotes the value.
    throw new ConfigurationError('environment-invalid', `${variable} is not YAML: correct it.`)
  }
}

/** What is wrong, field by field, and which of it the environment said. Quotes no value. */
export function describeInvalid(error: z.ZodError, { variables }: Overlay): string {
  const wrong = new Set(error.issues.map(({ path }) => String(path[0])))
  const notes = [...variables].filter(([field]) => wrong.has(field)).map(([field, name]) => `${field} is from ${name}.`)
  return [z.prettifyError(error), ...notes].join('\n')
}

/** Variables that look like a field's and are none: likely misspelt. @param known variables with another meaning */
export function unknownVariables(schema: FieldsSchema, known: readonly string[], env: Environment): string[] {
  const fields = Object.keys(schema.shape).map(variableOf)
  const meant = new Set([...fields, ...fields.map((name) => `${name}_FILE`), ...known])
  return Object.keys(env).filter((name) => name.startsWith('SLUICE_') && env[name] && !meant.has(name))
}
