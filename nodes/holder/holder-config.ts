import { z } from 'zod'
import { identityField, publicKeyField } from '../../src/protocol/statement.ts'
import { datasetConfigSchema } from './dataset-config.ts'

const addressField = z.string().regex(/^[^\s]+:\d{1,5}$/, 'not host:port')
const COORDINATORS_MAX = 16

/** The configuration file of a holder node, `holder.yaml`. Paths are relative to its directory. */
export const holderConfigSchema = z.strictObject({
  name: identityField,
  /** The venue whose coordinator this node dials. */
  venue: z.string().regex(/^[a-z0-9.-]{1,120}$/, 'not a venue name: a–z, 0–9, "." and "-"'),
  /** host:port; a list when the venue has several coordinators: all are dialled. */
  coordinator: z.union([addressField, z.array(addressField).min(1).max(COORDINATORS_MAX)]),
  /** The coordinator's statement key: plans that it has not signed are refused. */
  coordinatorKey: publicKeyField,
  /** The key of the venue's log, `<venue>/log+<id>+<base64>`: checkpoints that it has not signed are refused. */
  logKey: z.string(),
  /** `identity` is one file with the private key and its certificate, so that a renewal swaps both at once. */
  tls: z.strictObject({ identity: z.string(), authority: z.string() }),
  /** Statement and box seeds; for this node's eyes. */
  identity: z.string(),
  policy: z.string(),
  /** Directory of the journal. */
  journal: z.string(),
  datasets: z.array(datasetConfigSchema).default([]),
  /** `auto` takes the fastest that passes its self-test. */
  trainerBackend: z.enum(['auto', 'tensorflow', 'wasm', 'cpu']).default('auto'),
  /** Threads that protect updates; one for each processor unless told. */
  payloadThreads: z.int().min(1).max(256).optional(),
  /** host:port of `/healthz`, `/readyz` and `/metrics`, over plain HTTP; without it the node opens no port. */
  adminListen: z
    .string()
    .regex(/^[^\s]+:\d{1,5}$/, 'not host:port')
    .optional(),
  /** Where spans are exported to, OTLP over HTTP. How long this node computes tells of how much data it has. */
  tracesEndpoint: z.url({ protocol: /^https?$/ }).optional(),
})

export type HolderConfig = z.output<typeof holderConfigSchema>

/** The addresses of the venue's coordinators, at least one. */
export function coordinatorAddresses({ coordinator }: Pick<HolderConfig, 'coordinator'>): readonly string[] {
  return [coordinator].flat()
}
