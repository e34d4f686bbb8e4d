import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import type { PlanFloors } from '../../src/protocol/plan-policy.ts'
import type { Member } from '../../src/protocol/round-plan.ts'
import type { TlsMaterial } from '../../src/wire/credentials.ts'
import { type HolderConfig, holderConfigSchema, membersFileSchema } from './holder-config.ts'
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
  readonly floors: PlanFloors
}

/**
 * Reads `holder.yaml` in `directory` and the files that it names.
 * @throws HolderError `config-invalid` naming the file and every wrong field, `identity-invalid`
 */
export async function loadHolderSettings(directory: string): Promise<HolderSettings> {
  const at = (path: string) => resolve(directory, path)
  const config = await loadFile(at('holder.yaml'), holderConfigSchema)
  const [keyPem, certificatePem, authorityPem] = await Promise.all(
    [config.tls.key, config.tls.certificate, config.tls.authority].map((path) => readText(at(path))),
  )
  const identity = await openIdentity(await loadFile(at(config.identity), z.unknown()))
  const policy = await loadFile(at(config.policy), holderPolicySchema)
  const { members } = await loadFile(at(config.members), membersFileSchema)
  if (identity.member.holder !== config.name) {
    throw new HolderError(
      'config-invalid',
      `holder.yaml is of ${config.name}, the identity file of ${identity.member.holder}: use the files of one admission.`,
    )
  }
  const floors = planFloors(config, policy, members)
  return { directory, config, tls: { keyPem, certificatePem, authorityPem }, identity, policy, floors }
}

function planFloors(config: HolderConfig, policy: HolderPolicy, members: readonly Member[]): PlanFloors {
  const { coMembers } = policy
  const company = members.filter(({ holder }) => coMembers === 'all' || coMembers.includes(holder))
  return {
    coordinatorKey: config.coordinatorKey,
    minContributors: policy.minContributors,
    threshold: policy.committeeThreshold,
    tolerates: policy.toleratedMembers,
    maxPrecisionBits: policy.maxPrecisionBits,
    acceptedMembers: new Map(company.map((member) => [member.holder, member])),
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
  const text = await readText(path)
  let value: unknown
  try {
    value = parseYaml(text)
  } catch {
    // The parser's message quotes the file, and the file may be the identity.
    throw new HolderError('config-invalid', `${path} is not YAML: correct it.`)
  }
  const read = schema.safeParse(value)
  if (!read.success) throw new HolderError('config-invalid', `Correct ${path}:\n${z.prettifyError(read.error)}`)
  return read.data
}
