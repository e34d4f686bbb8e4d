import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PART_CHUNKS } from '../../src/coordinator/ports.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { chunkGeometry } from '../../src/crypto/payload-parameters.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { storesOver } from '../../src/store/stores-over.ts'
import { systemFileSystem, type WritingFile, type WritingFileSystem } from '../../src/store/writing-file-system.ts'
import { parametersOf, referenceOf, someChunks } from '../contract/payload-spool.contract.ts'

type Fault = {
  /** The step that fails, from 0. */
  readonly step: number
  /** Whether it takes effect nevertheless. */
  readonly effect: 'lost' | 'persisted'
  /** Whether the process dies there, so that no clean-up runs, or only sees an error. */
  readonly process: 'dies' | 'goes on'
}

/** The system's file system, of which one step fails. */
function failingFileSystem(fault: Fault): WritingFileSystem & { reached: () => boolean } {
  let steps = 0
  let reached = false
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    const number = steps++
    if (number < fault.step || (number > fault.step && fault.process === 'goes on')) return run()
    reached = true
    if (number === fault.step && fault.effect === 'persisted') await run()
    throw Object.assign(new Error('i/o error'), { code: 'EIO' })
  }
  return {
    reached: () => reached,
    makeDirectory: (path) => step(() => systemFileSystem.makeDirectory(path)),
    createFile: async (path) => {
      let file: WritingFile | undefined
      await step(async () => {
        file = await systemFileSystem.createFile(path)
      }).catch((error) => Promise.resolve(file?.close()).then(() => Promise.reject(error)))
      return failingFile(file!, step)
    },
    rename: (from, to) => step(() => systemFileSystem.rename(from, to)),
    syncDirectory: (path) => step(() => systemFileSystem.syncDirectory(path)),
    remove: (path) => step(() => systemFileSystem.remove(path)),
    list: (path) => step(() => systemFileSystem.list(path)),
    writtenAt: (path) => step(() => systemFileSystem.writtenAt(path)),
  }
}

type Step = <T>(run: () => Promise<T>) => Promise<T>

function failingFile(file: WritingFile, step: Step): WritingFile {
  return {
    write: (bytes) => step(() => file.write(bytes)),
    sync: () => step(() => file.sync()),
    // A dead process has its files closed for it.
    close: () => step(() => file.close()).catch((error) => file.close().then(() => Promise.reject(error))),
  }
}

const faults: Omit<Fault, 'step'>[] = [
  { effect: 'lost', process: 'dies' },
  { effect: 'persisted', process: 'dies' },
  { effect: 'lost', process: 'goes on' },
  { effect: 'persisted', process: 'goes on' },
]

describe('Files that are interrupted', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-crash-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const openStores = async (files?: WritingFileSystem) => storesOver(await openDirectoryBlobStore(directory, files))
  const pendingFiles = async () => readdirSync(join(directory, 'pending'))

  async function expectNothingPendingAnHourLater(): Promise<void> {
    for (const name of await pendingFiles()) setWrittenAt(join(directory, 'pending', name), 61)
    await openStores()
    expect(await pendingFiles()).toEqual([])
  }

  function setWrittenAt(path: string, minutesAgo: number): void {
    const at = new Date(Date.now() - minutesAgo * 60_000)
    utimesSync(path, at, at)
  }

  /** Runs `attempt` with a fault at each of its steps in turn, until it no longer reaches the fault. */
  async function atEveryStep(
    kind: Omit<Fault, 'step'>,
    attempt: (files: WritingFileSystem) => Promise<void>,
    check: (reported: 'failed' | 'done') => Promise<void>,
  ): Promise<number> {
    for (let step = 0; ; step++) {
      const files = failingFileSystem({ ...kind, step })
      const reported = await attempt(files).then(
        () => 'done' as const,
        (error) => {
          expect(error).toMatchObject({ name: 'StoreError', code: 'io-failed' })
          return 'failed' as const
        },
      )
      expect(reported).toBe(files.reached() ? 'failed' : 'done')
      await check(reported)
      if (!files.reached()) return step
    }
  }

  it.each(faults)('an artifact is whole or absent ($effect, then the process $process)', async (kind) => {
    const earlier = randomBytes(100_000)
    const kept = await (await openStores()).artifacts.put(earlier)
    let bytes = randomBytes(0)
    const steps = await atEveryStep(
      kind,
      async (files) => {
        bytes = randomBytes(100_000)
        await (await openStores(files)).artifacts.put(bytes)
      },
      async (reported) => {
        const store = (await openStores()).artifacts
        const found = await store.get(digestOf(bytes)).catch((error) => error.code)
        if (found !== 'not-found') expect(Buffer.compare(found, bytes)).toBe(0)
        if (reported === 'done') expect(found).not.toBe('not-found')
        expect(Buffer.compare(await store.get(kept), earlier)).toBe(0)
        await store.put(bytes)
        expect(Buffer.compare(await store.get(digestOf(bytes)), bytes)).toBe(0)
        await expectNothingPendingAnHourLater()
      },
    )
    expect(steps).toBeGreaterThan(6)
  })

  it.each(faults)(
    'a payload is whole or not there, and its upload goes on from what is stored ($effect, then the process $process)',
    { timeout: 60_000 },
    async (kind) => {
      const parameters = parametersOf(PART_CHUNKS + 1)
      const chunks = someChunks(parameters)
      let plan = ''
      const upload = async (files: WritingFileSystem) => {
        const { spool } = await openStores(files)
        const writer = await spool.open(plan, 'zurich', parameters)
        try {
          for (const chunk of chunks.slice(writer.resumed.chunks)) await writer.append(chunk)
          expect(await writer.commit()).toEqual(referenceOf(chunks))
        } finally {
          await writer.close()
        }
      }
      const seen = new Set<string>()
      const steps = await atEveryStep(
        kind,
        (files) => {
          plan = digestOf(randomBytes(8))
          return upload(files)
        },
        async (reported) => {
          const { spool } = await openStores()
          const found = await spool.stat(plan, 'zurich')
          if (reported === 'done') expect(found).toBeDefined()
          if (!found) {
            const writer = await spool.open(plan, 'zurich', parameters)
            seen.add(`${writer.resumed.chunks} chunks`)
            await writer.close()
            await upload(systemFileSystem)
          } else seen.add(`whole, ${reported}`)
          expect(await spool.stat(plan, 'zurich')).toEqual(referenceOf(chunks))
          const read = await spool.read(plan, 'zurich', 0, parameters.ciphertextBytes)
          expect(Buffer.compare(read, Buffer.concat(chunks))).toBe(0)
          await expectNothingPendingAnHourLater()
          await spool.discard(plan)
        },
      )
      expect(steps).toBeGreaterThan(15)
      // After the rename it is whole, whatever its writer is told.
      const kinds = ['0 chunks', `${PART_CHUNKS} chunks`, 'whole, done', 'whole, failed']
      expect([...seen].sort()).toEqual(kinds.sort())
    },
  )

  it('an upload that failed is refused until it is opened again', async () => {
    const parameters = parametersOf(PART_CHUNKS + 1)
    const chunks = someChunks(parameters)
    const files: WritingFileSystem = {
      ...systemFileSystem,
      rename: () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' })),
    }
    const plan = digestOf(randomBytes(8))
    const writer = await (await openStores(files)).spool.open(plan, 'zurich', parameters)
    for (const chunk of chunks.slice(0, PART_CHUNKS - 1)) await writer.append(chunk)
    await expect(writer.append(chunks[PART_CHUNKS - 1])).rejects.toMatchObject({ code: 'io-failed' })
    await expect(writer.append(chunks[PART_CHUNKS])).rejects.toMatchObject({ code: 'conflict' })
    await expect(writer.commit()).rejects.toMatchObject({ code: 'conflict' })
    expect(writer.durable).toBe(0)
    await writer.close()
  })

  it('what a dead process left pending goes when nobody has written to it for an hour, and not before', async () => {
    await openStores()
    const [dead, alive] = ['dead', 'alive'].map((name) => join(directory, 'pending', name))
    for (const path of [dead, alive]) writeFileSync(path, randomBytes(10))
    setWrittenAt(dead, 61)
    setWrittenAt(alive, 59)
    await openStores()
    expect(await pendingFiles()).toEqual(['alive'])
  })

  it.skipIf(!existsSync('/dev/full'))('a full disk is named, and the place is usable afterwards', async () => {
    const fullDisk: WritingFileSystem = {
      ...systemFileSystem,
      createFile: async () => {
        const file = await open('/dev/full', 'w')
        return { write: (bytes) => file.writeFile(bytes), sync: () => file.sync(), close: () => file.close() }
      },
    }
    const full = { code: 'disk-full', message: expect.stringContaining('Free space') }
    const stores = await openStores(fullDisk)
    await expect(stores.artifacts.put(randomBytes(10))).rejects.toMatchObject(full)
    const parameters = parametersOf(1)
    const plan = digestOf(randomBytes(8))
    const writer = await stores.spool.open(plan, 'zurich', parameters)
    await writer.append(someChunks(parameters)[0])
    await expect(writer.commit()).rejects.toMatchObject(full)
    await writer.close()
    const { artifacts } = await openStores()
    expect(await artifacts.get(await artifacts.put(randomBytes(10)))).toHaveLength(10)
  })
})

/**
 * The system's file system, watched for what a power failure would take: names are lost until their directory is synced,
 * and a name must never be given to bytes that are not.
 */
class PowerWatchingFileSystem implements WritingFileSystem {
  readonly #unsyncedFiles = new Set<string>()
  readonly unsyncedDirectories = new Set<string>()
  readonly namedBeforeSynced: string[] = []

  async createFile(path: string): Promise<WritingFile> {
    const file = await systemFileSystem.createFile(path)
    return {
      write: (bytes) => {
        this.#unsyncedFiles.add(path)
        return file.write(bytes)
      },
      sync: () => file.sync().then(() => void this.#unsyncedFiles.delete(path)),
      close: () => file.close(),
    }
  }
  async rename(from: string, to: string): Promise<void> {
    if (this.#unsyncedFiles.has(from)) this.namedBeforeSynced.push(to)
    await systemFileSystem.rename(from, to)
    this.unsyncedDirectories.add(dirname(to))
  }
  async syncDirectory(path: string): Promise<void> {
    await systemFileSystem.syncDirectory(path)
    this.unsyncedDirectories.delete(path)
  }
  makeDirectory = systemFileSystem.makeDirectory
  remove = systemFileSystem.remove
  list = systemFileSystem.list
  writtenAt = systemFileSystem.writtenAt
}

describe('Files that are stored', () => {
  it('are on the disk when their write resolves, bytes before names', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-power-'))
    const files = new PowerWatchingFileSystem()
    const { artifacts, spool } = storesOver(await openDirectoryBlobStore(join(directory, 'state'), files))
    await artifacts.put(randomBytes(10))
    expect(files.unsyncedDirectories).toEqual(new Set())
    const parameters = parametersOf(PART_CHUNKS + 1)
    const writer = await spool.open(digestOf(randomBytes(8)), 'zurich', parameters)
    for (const chunk of someChunks(parameters)) {
      await writer.append(chunk)
      expect(files.unsyncedDirectories).toEqual(new Set())
    }
    await writer.commit()
    expect(files.unsyncedDirectories).toEqual(new Set())
    expect(files.namedBeforeSynced).toEqual([])
    rmSync(directory, { recursive: true })
  })
})

describe('A directory of blobs', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-blobs-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('does not say that a blob is stored while its directory, which another put makes, may still be lost', async () => {
    const synced = Promise.withResolvers<void>()
    const files: WritingFileSystem = {
      ...systemFileSystem,
      // The name is there, and not durable yet.
      makeDirectory: async (path) => {
        await systemFileSystem.makeDirectory(path)
        if (path === join(directory, 'a')) await synced.promise
      },
    }
    const blobs = await openDirectoryBlobStore(directory, files)
    const stored: string[] = []
    const puts = ['a/b/1', 'a/b/2', 'a/3'].map((key) => blobs.put(key, randomBytes(1)).then(() => stored.push(key)))
    await blobs.put('other/1', randomBytes(1))
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(stored).toEqual([])
    synced.resolve()
    await Promise.all(puts)
    expect(await blobs.list('a')).toEqual(['a/3', 'a/b/1', 'a/b/2'])
  })

  it('makes files and directories that are their owner’s alone', async () => {
    const blobs = await openDirectoryBlobStore(join(directory, 'state'))
    await blobs.put('a/b', randomBytes(1))
    for (const [path, mode] of [
      ['state', 0o700],
      ['state/pending', 0o700],
      ['state/a', 0o700],
      ['state/a/b', 0o600],
    ] as const) {
      expect(statSync(join(directory, path)).mode & 0o777, path).toBe(mode)
    }
  })

  it('has files of its own under a name that is no key', async () => {
    const blobs = await openDirectoryBlobStore(directory)
    for (const key of ['pending', 'pending/a']) {
      await expect((async () => blobs.put(key, randomBytes(1)))()).rejects.toMatchObject({ code: 'invalid-value' })
      await expect((async () => blobs.delete(key))()).rejects.toMatchObject({ code: 'invalid-value' })
    }
    await blobs.put('a/pending', randomBytes(1))
    expect(await blobs.list('a')).toEqual(['a/pending'])
  })

  it('that cannot be written to is named', async () => {
    writeFileSync(join(directory, 'a-file'), '')
    await expect(openDirectoryBlobStore(join(directory, 'a-file'))).rejects.toMatchObject({
      name: 'StoreError',
      code: 'directory-unusable',
    })
  })
})

describe('Files that are damaged', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-rot-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  function flipBit(path: string, position: number): void {
    const bytes = readFileSync(path)
    bytes[position] ^= 4
    writeFileSync(path, bytes)
  }

  it('an artifact with one other bit is refused, and healed when it is put again', async () => {
    const { artifacts } = storesOver(await openDirectoryBlobStore(directory))
    const bytes = randomBytes(1000)
    const digest = await artifacts.put(bytes)
    flipBit(join(directory, 'artifacts', digest), 500)
    await expect(artifacts.get(digest)).rejects.toMatchObject({ code: 'corrupt' })
    await artifacts.put(bytes)
    expect(Buffer.compare(await artifacts.get(digest), bytes)).toBe(0)
  })

  const parameters = parametersOf(PART_CHUNKS + 2)
  const chunkBytes = chunkGeometry(parameters, 0).bytes

  /** Another process's view of a payload that was spooled, of which some byte or length is changed. */
  async function readDamaged(part: 'first' | 'whole', damage: (path: string) => void, offset: number, bytes: number) {
    const chunks = someChunks(parameters)
    const plan = digestOf(randomBytes(8))
    const writer = await storesOver(await openDirectoryBlobStore(directory)).spool.open(plan, 'zurich', parameters)
    for (const chunk of chunks) await writer.append(chunk)
    await writer.commit()
    const place = join(directory, 'spool', plan, 'zurich')
    const name = readdirSync(place).find((each) => (part === 'whole') === (each === 'whole'))!
    damage(join(place, name))
    const { spool } = storesOver(await openDirectoryBlobStore(directory))
    const read = await spool.read(plan, 'zurich', offset, bytes)
    expect(Buffer.compare(read, Buffer.concat(chunks).subarray(offset, offset + bytes))).toBe(0)
  }

  it.each([
    ['first', 2_000_000],
    ['whole', 100_000],
  ] as const)(
    'a payload with one other bit in its %s part is refused where it is damaged, and nowhere else',
    async (part, at) => {
      const start = part === 'first' ? 0 : PART_CHUNKS * chunkBytes
      const flip = (path: string) => flipBit(path, at)
      await expect(readDamaged(part, flip, 0, parameters.ciphertextBytes)).rejects.toMatchObject({ code: 'corrupt' })
      const chunk = Math.floor(at / chunkBytes)
      await expect(readDamaged(part, flip, start + chunk * chunkBytes, chunkBytes)).rejects.toMatchObject({
        code: 'corrupt',
      })
      await readDamaged(part, flip, start + (chunk + 1) * chunkBytes, 1000)
    },
  )

  it('a payload whose seal is damaged anywhere, or whose part is cut short or gone, is refused', async () => {
    const corrupt = { name: 'StoreError', code: 'corrupt' }
    const headBytes = 16 + 2 * 32 + 4
    for (const position of [0, 7, 8, 9, 12, 14, 16, 20, headBytes, headBytes + 100]) {
      const flip = (path: string) => flipBit(path, position)
      await expect(readDamaged('whole', flip, 0, 10), `byte ${position}`).rejects.toMatchObject(corrupt)
    }
    for (const length of [0, 15, 16, 200, chunkBytes]) {
      const cut = (path: string) => truncateSync(path, length)
      const last = parameters.ciphertextBytes - 10
      await expect(readDamaged('whole', cut, last, 10), `${length} bytes`).rejects.toMatchObject(corrupt)
      await expect(readDamaged('first', cut, 31 * chunkBytes, 10), `${length} bytes`).rejects.toMatchObject(corrupt)
    }
    const gone = (path: string) => rmSync(path)
    await expect(readDamaged('first', gone, 0, 10)).rejects.toMatchObject({ code: 'not-found' })
  })

  it.each(['its head', 'its name', 'its length'])(
    'an upload does not go on from a part that is damaged in %s',
    async (what) => {
      const chunks = someChunks(parameters)
      const plan = digestOf(randomBytes(8))
      const { spool } = storesOver(await openDirectoryBlobStore(directory))
      const dead = await spool.open(plan, 'zurich', parameters)
      for (const chunk of chunks.slice(0, PART_CHUNKS)) await dead.append(chunk)
      const place = join(directory, 'spool', plan, 'zurich')
      const [name] = readdirSync(place)
      if (what === 'its head') flipBit(join(place, name), 100)
      if (what === 'its name') renameSync(join(place, name), join(place, `00000-${digestOf(randomBytes(8))}`))
      if (what === 'its length') truncateSync(join(place, name), 1000)
      const writer = await spool.open(plan, 'zurich', parameters)
      expect(writer.resumed.chunks).toBe(0)
      for (const chunk of chunks) await writer.append(chunk)
      await writer.commit()
      const read = await spool.read(plan, 'zurich', 0, parameters.ciphertextBytes)
      expect(Buffer.compare(read, Buffer.concat(chunks))).toBe(0)
    },
  )
})
