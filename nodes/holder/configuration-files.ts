import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import {
  describeInvalid,
  type Environment,
  type Overlay,
  overlayEnvironment,
} from '../../src/configuration/environment.ts'
import { LogError } from '../../src/log/log-error.ts'
import { type NoteKey, parseNoteKey } from '../../src/log/note-key.ts'
import type { PlanFloors } from '../../src/protocol/plan-policy.ts'
import { splitKeyAndCertificate, type TlsMaterial } from '../../src/wire/credentials.ts'
import { type HolderConfig, holderConfigSchema } from './holder-config.ts'
import { HolderError } from './holder-error.ts'
import { openIdentity } from './holder-identity.ts'
import { type HolderPolicy, holderPolicySchema } from './holder-policy.ts'

/** Everything that a holder node reads before it starts. */
export interface HolderSettings {
  readonly directory: string
  readonly config: HolderConfig
  readonly tls: TlsMaterial
  readonly identity: Awaited<ReturnType<typeof openIdentity>>
  readonly policy: HolderPolicy
  /** Whose company is accepted follows from the venue's registry as of the plan. */
  readonly floors: Omit<PlanFloors, 'acceptedMembers'>
  /** The venue's log: its origin and key. */
  readonly logKey: NoteKey
}

/**
 * Reads `holder.yaml` in `directory`, under the environment.
 * @throws HolderError `config-invalid` naming the file and every wrong field; ConfigurationError
 */
export async function readHolderConfig(
  directory: string,
  env: Environment = process.env,
): Promise<{ readonly config: HolderConfig; readonly file: unknown; readonly overlay: Overlay }> {
  const path = resolve(directory, 'holder.yaml')
  const file = parseFile(path, await readText(path))
  const overlay = await overlayEnvironment(holderConfigSchema, file, env)
  const read = holderConfigSchema.safeParse(overlay.input)
  if (!read.success) {
    throw new HolderError('config-invalid', `Correct ${path}:\n${describeInvalid(read.error, overlay)}`)
  }
  return { config: read.data, file, overlay }
}

/**
 * Reads `holder.yaml` in `directory`, under the environment, and the files that it names.
 * @throws HolderError `config-invalid` naming the file and every wrong field, `identity-invalid`; ConfigurationError
 */
export async function loadHolderSettings(directory: string, env: Environment = process.env): Promise<HolderSettings> {
  const at = (path: string) => resolve(directory, path)
  const { config } = await readHolderConfig(directory, env)
  const [tlsPem, authorityPem] = await Promise.all(
    [config.tls.identity, config.tls.authority].map((path) => readText(at(path))),
  )
  const identity = await openIdentity(await loadFile(at(config.identity), z.unknown()))
  const policy = await loadFile(at(config.policy), holderPolicySchema)
  if (identity.member.holder !== config.name) {
    throw new HolderError(
      'config-invalid',
      `holder.yaml is of ${config.name}, the identity file of ${identity.member.holder}: use the files of one directory.`,
    )
  }
  const tls = { ...splitKeyAndCertificate(tlsPem), authorityPem }
  return { directory, config, tls, identity, policy, floors: planFloors(config, policy), logKey: readLogKey(config) }
}

/** An invite brings the key of its own venue's log. */
function readLogKey({ venue, logKey }: HolderConfig): NoteKey {
  try {
    const key = parseNoteKey(logKey)
    if (key.role === 'log' && key.name === `${venue}/log`) return key
  } catch (error) {
    if (!(error instanceof LogError)) throw error
  }
  throw new HolderError(
    'config-invalid',
    `logKey in holder.yaml is not the key of ${venue}/log: copy it from the invite.`,
  )
}

function planFloors(config: HolderConfig, policy: HolderPolicy): HolderSettings['floors'] {
  return {
    coordinatorKey: config.coordinatorKey,
    minContributors: policy.minContributors,
    threshold: policy.committeeThreshold,
    tolerates: policy.toleratedMembers,
    maxPrecisionBits: policy.maxPrecisionBits,
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new HolderError('config-invalid', `${path} cannot be read: restore it, or correct the path in holder.yaml.`, {
      cause,
    })
  }
}

/** A YAML (or JSON) file of a given form. */
async function loadFile<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const read = schema.safeParse(parseFile(path, await readText(path)))
  if (!read.success) throw new HolderError('config-invalid', `Correct ${path}:\n${z.prettifyError(read.error)}`)
  return read.data
}

function parseFile(path: string, text: string): unknown {
  try {
    return parseYaml(text)
  } catch {
    // The parser's message quotes the file, and the file may be the identity.
    throw new HolderError('config-invalid', `${path} is not YAML: correct it.`)
  }
}
