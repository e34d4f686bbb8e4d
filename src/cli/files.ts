import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { CliError } from './cli-error.ts'

/** A YAML or JSON file as it stands. @throws CliError `file-not-readable`, `file-invalid` */
export async function readDataFile(path: string): Promise<unknown> {
  const text = await readTextFile(path)
  try {
    return parseYaml(text)
  } catch (cause) {
    throw new CliError('file-invalid', `${path} is neither YAML nor JSON: correct it.`, { cause })
  }
}

/** A YAML or JSON file of a given form. @throws CliError `file-not-readable`, `file-invalid` naming every wrong field */
export async function readSchemaFile<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const read = schema.safeParse(await readDataFile(path))
  if (!read.success) throw new CliError('file-invalid', `Correct ${path}:\n${z.prettifyError(read.error)}`)
  return read.data
}

export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new CliError(
      'file-not-readable',
      `${path} cannot be read: check that it exists and that this user may read it.`,
      {
        cause,
      },
    )
  }
}

/**
 * Writes a file at once: a reader sees the old one or the new one. Durable when it resolves. Directories are made as needed.
 * @throws CliError `file-not-writable`
 */
export function writeWholeFile(path: string, content: string | Uint8Array): Promise<void> {
  return writeFileOfMode(path, content, { file: 0o644, directory: 0o755 })
}

/** As {@link writeWholeFile}; it, and its directory where that is made, are for their owner alone. */
export function writeSecretFile(path: string, content: string): Promise<void> {
  return writeFileOfMode(path, content, { file: 0o600, directory: 0o700 })
}

/** As {@link writeSecretFile}, for its owner and its owner's group: a secret that two services share. */
export function writeGroupFile(path: string, content: string): Promise<void> {
  return writeFileOfMode(path, content, { file: 0o640, directory: 0o750 })
}

async function writeFileOfMode(
  path: string,
  content: string | Uint8Array,
  mode: { readonly file: number; readonly directory: number },
): Promise<void> {
  // Of its own name: two commands may write one file at the same time, and the later one wins.
  const part = `${path}.${randomUUID()}.part`
  try {
    await mkdir(dirname(path), { recursive: true, mode: mode.directory })
    const file = await open(part, 'wx', mode.file)
    await file
      .writeFile(content)
      .then(() => file.sync())
      .finally(() => file.close())
    await rename(part, path)
    const directory = await open(dirname(path), 'r')
    await directory.sync().finally(() => directory.close())
  } catch (cause) {
    await rm(part, { force: true }).catch(() => undefined)
    const why = (cause as NodeJS.ErrnoException).code ?? 'failed'
    throw new CliError(
      'file-not-writable',
      `${path} cannot be written (${why}): choose a place that this user may write to.`,
      {
        cause,
      },
    )
  }
}
