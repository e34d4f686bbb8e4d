import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import { openArtifactStore } from '../../src/store/artifact-store.ts'
import { openPayloadSpool } from '../../src/store/payload-spool.ts'
import { systemFileSystem, type WritingFile, type WritingFileSystem } from '../../src/store/writing-file-system.ts'

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
    const kept = await (await openArtifactStore(directory)).put(earlier)
    let bytes = randomBytes(0)
    const steps = await atEveryStep(
      kind,
      async (files) => {
        bytes = randomBytes(100_000)
        await (await openArtifactStore(directory, files)).put(bytes)
      },
      async (reported) => {
        const store = await openArtifactStore(directory)
        const found = await store.get(digestOf(bytes)).catch((error) => error.code)
        if (found !== 'not-found') expect(Buffer.compare(found, bytes)).toBe(0)
        if (reported === 'done') expect(found).not.toBe('not-found')
        expect(Buffer.compare(await store.get(kept), earlier)).toBe(0)
        await store.put(bytes)
        expect(Buffer.compare(await store.get(digestOf(bytes)), bytes)).toBe(0)
        expect(readdirSync(join(directory, 'pending'))).toEqual([])
      },
    )
    expect(steps).toBeGreaterThan(6)
  })

  it.each(faults)(
    'a payload is the earlier one or the later one ($effect, then the process $process)',
    async (kind) => {
      const plan = digestOf(randomBytes(8))
      const [earlier, later] = [randomBytes(100_000), randomBytes(100_000)]
      const upload = async (files: WritingFileSystem, payload: Uint8Array) => {
        const writer = await (await openPayloadSpool(directory, files)).begin(plan, 'zurich')
        try {
          await writer.append(payload.subarray(0, 40_000))
          await writer.append(payload.subarray(40_000))
          await writer.commit()
        } catch (error) {
          await writer.abort()
          throw error
        }
      }
      await upload(systemFileSystem, earlier)
      const steps = await atEveryStep(
        kind,
        (files) => upload(files, later),
        async (reported) => {
          const spool = await openPayloadSpool(directory)
          const found = Buffer.from(await spool.read(plan, 'zurich', 0, 100_000))
          expect(found.equals(later) || (reported === 'failed' && found.equals(earlier))).toBe(true)
          expect(readdirSync(join(directory, 'pending'))).toEqual([])
          await upload(systemFileSystem, later)
          expect(Buffer.compare(await spool.read(plan, 'zurich', 0, 100_000), later)).toBe(0)
          await upload(systemFileSystem, earlier)
        },
      )
      expect(steps).toBeGreaterThan(9)
    },
  )

  it('an upload that failed is refused until it is begun again', async () => {
    // 0–3 open the spool, 4–6 begin the upload, 7 is its first write.
    const files = failingFileSystem({ step: 7, effect: 'lost', process: 'goes on' })
    const spool = await openPayloadSpool(directory, files)
    const plan = digestOf(randomBytes(8))
    const writer = await spool.begin(plan, 'zurich')
    await expect(writer.append(randomBytes(10))).rejects.toMatchObject({ code: 'io-failed' })
    await expect(writer.append(randomBytes(10))).rejects.toMatchObject({ code: 'conflict' })
    await expect(writer.commit()).rejects.toMatchObject({ code: 'conflict' })
    await writer.abort()
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
    await expect((await openArtifactStore(directory, fullDisk)).put(randomBytes(10))).rejects.toMatchObject(full)
    const writer = await (await openPayloadSpool(directory, fullDisk)).begin(digestOf(randomBytes(8)), 'zurich')
    await expect(writer.append(randomBytes(10))).rejects.toMatchObject(full)
    await writer.abort()
    const digest = await (await openArtifactStore(directory)).put(randomBytes(10))
    expect(await (await openArtifactStore(directory)).get(digest)).toHaveLength(10)
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
}

describe('Files that are stored', () => {
  it('are on the disk when their write resolves, bytes before names', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-power-'))
    const files = new PowerWatchingFileSystem()
    const store = await openArtifactStore(join(directory, 'artifacts'), files)
    const spool = await openPayloadSpool(join(directory, 'spool'), files)
    await store.put(randomBytes(10))
    expect(files.unsyncedDirectories).toEqual(new Set())
    const writer = await spool.begin(digestOf(randomBytes(8)), 'zurich')
    await writer.append(randomBytes(10))
    await writer.commit()
    expect(files.unsyncedDirectories).toEqual(new Set())
    expect(files.namedBeforeSynced).toEqual([])
    rmSync(directory, { recursive: true })
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
    const store = await openArtifactStore(directory)
    const bytes = randomBytes(1000)
    const digest = await store.put(bytes)
    flipBit(join(directory, digest), 500)
    await expect(store.get(digest)).rejects.toMatchObject({ code: 'corrupt' })
    await store.put(bytes)
    expect(Buffer.compare(await store.get(digest), bytes)).toBe(0)
  })

  it('a payload with one other bit, or cut short, is refused where it is damaged', async () => {
    const spool = await openPayloadSpool(directory)
    const plan = digestOf(randomBytes(8))
    const payload = randomBytes(200_000)
    const path = join(directory, 'rounds', plan, 'zurich')
    const upload = async () => {
      const writer = await spool.begin(plan, 'zurich')
      await writer.append(payload)
      await writer.commit()
    }
    const corrupt = { code: 'corrupt' }
    await upload()
    flipBit(path, 150_000)
    await expect(spool.read(plan, 'zurich', 0, 200_000)).rejects.toMatchObject(corrupt)
    await expect(spool.read(plan, 'zurich', 140_000, 10)).rejects.toMatchObject(corrupt)
    expect(Buffer.compare(await spool.read(plan, 'zurich', 0, 131_072), payload.subarray(0, 131_072))).toBe(0)
    const size = 200_000 + 4 * 4 + 16
    for (const position of [200_001, size - 16, size - 1]) {
      await upload()
      flipBit(path, position)
      await expect(spool.read(plan, 'zurich', 0, 10)).rejects.toMatchObject(corrupt)
    }
    for (const length of [0, 15, 199_999, size - 1]) {
      await upload()
      truncateSync(path, length)
      await expect(spool.read(plan, 'zurich', 0, 10)).rejects.toMatchObject(corrupt)
    }
  })
})
