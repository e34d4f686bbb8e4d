import { fileURLToPath } from 'node:url'
import { type GrpcObject, loadPackageDefinition } from '@grpc/grpc-js'
import { loadSync, type Options } from '@grpc/proto-loader'
import type { ProtoGrpcType as CoordinatorProto } from './generated/coordinator.ts'
import type { ProtoGrpcType as EnrolmentProto } from './generated/enrolment.ts'
import type { ProtoGrpcType as JobsProto } from './generated/jobs.ts'

/** Where proto/ lies beside src/. */
const PROTO_ROOT = fileURLToPath(new URL('../../proto', import.meta.url))

/** The same options as the `generate` script of package.json: types and loader agree. */
const options: Options = { longs: Number, enums: String, defaults: true, oneofs: true, includeDirs: [PROTO_ROOT] }

const definition = loadSync(
  ['sluice/v1/coordinator.proto', 'sluice/v1/enrolment.proto', 'sluice/v1/jobs.proto'],
  options,
)
const loaded = loadPackageDefinition(definition) as GrpcObject as unknown as CoordinatorProto &
  EnrolmentProto &
  JobsProto

/** Service definitions and client constructors of the contract in proto/sluice/v1. */
export const { Coordinator: CoordinatorContract, Enrolment: EnrolmentContract, Jobs: JobsContract } = loaded.sluice.v1
