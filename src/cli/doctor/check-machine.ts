import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Diagnosis, failing, warning, well } from './diagnosis.ts'

/** The first Node that runs this code as it stands: `using`, and TypeScript without its types. */
const NODE_MAJOR_MIN = 24

export function checkNode(version = process.versions.node): Diagnosis {
  if (Number.parseInt(version, 10) >= NODE_MAJOR_MIN) return well('node', `Node ${version}`)
  return failing('node', `Node ${version}`, `Run it with Node ${NODE_MAJOR_MIN} or newer, as the npm scripts do.`)
}

/** Secrets that others than their owner may read or change. @param paths of files; one that is missing is told of elsewhere */
export async function checkPermissions(paths: readonly string[]): Promise<Diagnosis> {
  const modes = await Promise.all(
    paths.filter((path) => existsSync(path)).map(async (path) => ({ path, mode: (await stat(path)).mode & 0o777 })),
  )
  const open = modes.filter(({ mode }) => (mode & 0o077) !== 0)
  if (open.length === 0) return well('permissions', `${modes.length} secret files are their owner's alone`)
  const found = open.map(({ path, mode }) => `${path} has mode ${mode.toString(8).padStart(4, '0')}`).join(', ')
  return failing(
    'permissions',
    found,
    `chmod 600 ${open.map(({ path }) => path).join(' ')}; if others have been on this machine, take new keys.`,
  )
}

const MEBIBYTE = 2 ** 20
const FREE_MIN = 64 * MEBIBYTE
const FREE_COMFORTABLE = 1024 * MEBIBYTE
const SPEED_COMFORTABLE = 5
const SAMPLE_BYTES = 4 * MEBIBYTE

/**
 * Space, and how fast a durable write is, where state is kept.
 * @param directory may not exist yet: then it is looked at where it will be made
 */
export async function checkDisk(directory: string): Promise<Diagnosis> {
  const place = nearestExisting(resolve(directory))
  const { bavail, bsize } = await statfs(place)
  try {
    return judgeDisk(place, bavail * bsize, await writeSpeed(place))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'failed'
    const todo =
      code === 'ENOSPC'
        ? 'Free space on it.'
        : 'Give it a directory that this user may write to, and no file of that name.'
    return failing('disk', `${place} cannot be written: ${code}`, todo)
  }
}

/** @param speed in MiB a second */
export function judgeDisk(place: string, freeBytes: number, speed: number): Diagnosis {
  const found = `${Math.floor(freeBytes / MEBIBYTE)} MiB free at ${place}, ${speed.toFixed(0)} MiB/s durably written`
  if (freeBytes < FREE_MIN) return failing('disk', found, 'Free space: a process that cannot write stops.')
  if (freeBytes < FREE_COMFORTABLE)
    return warning('disk', found, 'Free space: ciphertexts of large models are spooled.')
  if (speed < SPEED_COMFORTABLE)
    return warning('disk', found, 'Move the directory to a faster disk: each step is synced.')
  return well('disk', found)
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

async function writeSpeed(directory: string): Promise<number> {
  const path = join(directory, `.doctor-${process.pid}`)
  // Random, for disks that compress.
  const sample = randomBytes(SAMPLE_BYTES)
  const started = performance.now()
  try {
    const file = await open(path, 'wx', 0o600)
    await file
      .writeFile(sample)
      .then(() => file.sync())
      .finally(() => file.close())
  } finally {
    await rm(path, { force: true })
  }
  return SAMPLE_BYTES / MEBIBYTE / ((performance.now() - started) / 1000)
}
