import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { storesOver } from '../../src/store/stores-over.ts'
import { describeArtifactStore } from './artifact-store.contract.ts'
import { describeBlobStore } from './blob-store.contract.ts'
import { describePayloadSpool } from './payload-spool.contract.ts'

const directory = mkdtempSync(join(tmpdir(), 'sluice-files-'))
afterAll(() => rmSync(directory, { recursive: true }))

const open = () => openDirectoryBlobStore(directory)
describeBlobStore('a directory', open)
describeArtifactStore('a directory', async () => storesOver(await open()).artifacts)
describePayloadSpool('a directory', async () => storesOver(await open()).spool)
