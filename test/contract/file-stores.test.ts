import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openArtifactStore } from '../../src/store/artifact-store.ts'
import { openPayloadSpool } from '../../src/store/payload-spool.ts'
import { describeArtifactStore } from './artifact-store.contract.ts'
import { describePayloadSpool } from './payload-spool.contract.ts'

const directory = mkdtempSync(join(tmpdir(), 'sluice-files-'))
afterAll(() => rmSync(directory, { recursive: true }))

describeArtifactStore('a directory', () => openArtifactStore(join(directory, 'artifacts')))
describePayloadSpool('a directory', () => openPayloadSpool(join(directory, 'spool')))
