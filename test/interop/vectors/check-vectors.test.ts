import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/*
 * The test vectors judged by a second implementation, in Python, that was written from their descriptions. AES comes from
 * PyPI's `cryptography`, pinned in requirements.txt; everything else is arithmetic of its own.
 */

const run = promisify(execFile)
const VECTORS = resolve(import.meta.dirname, '../../vectors')
const INSTALL_TIMEOUT_MS = 300_000

const enabled = process.env.SLUICE_INTEROP === '1'
const why = enabled ? '' : ' (skipped: needs Python 3.11 with venv and PyPI; set SLUICE_INTEROP=1)'
const names = readdirSync(VECTORS)
  .filter((name) => name.endsWith('.json'))
  .sort()
let directory: string

describe.skipIf(!enabled)(`the test vectors, judged from outside${why}`, () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-vectors-'))
    await run('python3', ['-m', 'venv', join(directory, 'venv')])
    const requirements = join(import.meta.dirname, 'requirements.txt')
    await run(join(directory, 'venv/bin/pip'), ['install', '--quiet', '--requirement', requirements])
  }, INSTALL_TIMEOUT_MS)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  /** What the checker says, and the files that it found to be right. */
  async function check(vectors: string): Promise<{ status: number; accepted: string[]; text: string }> {
    const checker = join(import.meta.dirname, 'check_vectors.py')
    // Without -B it would leave its compiled modules in the repository.
    const ended = run(join(directory, 'venv/bin/python'), ['-B', checker, vectors]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (fault: { code: number; stdout: string; stderr: string }) => fault,
    )
    const { code, stdout, stderr } = await ended
    const accepted = [...stdout.matchAll(/^(.+\.json): [1-9]\d* cases$/gm)].map(([, name]) => name)
    return { status: code, accepted, text: stdout + stderr }
  }

  /** A copy of the vectors, to be damaged. */
  function copyVectors(): string {
    const copy = mkdtempSync(join(directory, 'copy-'))
    for (const name of names) cpSync(join(VECTORS, name), join(copy, name))
    return copy
  }

  it('are accepted, all of them', async () => {
    const { status, accepted, text } = await check(VECTORS)
    console.info(text.trim())
    expect(status, text).toBe(0)
    expect(accepted).toEqual(names)
  })

  it.each(names)('are refused with one flipped nibble in %s', async (name) => {
    const copy = copyVectors()
    const text = readFileSync(join(copy, name), 'utf8')
    // Digests, keys, signatures, packed numbers: the middle one of the file, and of that the middle digit.
    const values = [...text.matchAll(/[0-9a-f]{32,}/g)]
    const { 0: value, index } = values[values.length >> 1]
    const at = index + (value.length >> 1)
    const flipped = (Number.parseInt(text[at], 16) ^ 1).toString(16)
    writeFileSync(join(copy, name), text.slice(0, at) + flipped + text.slice(at + 1))
    const { status, accepted } = await check(copy)
    expect(status).toBe(1)
    // It reads the files in this order, and stops at the first that is wrong.
    expect(accepted).toEqual(names.slice(0, names.indexOf(name)))
  })

  it('are refused when one file is missing, or one is there that nobody checks', async () => {
    const [fewer, more] = [copyVectors(), copyVectors()]
    rmSync(join(fewer, names[0]))
    writeFileSync(join(more, 'unchecked.json'), '{}')
    for (const copy of [fewer, more]) expect((await check(copy)).text).toContain('other files than expected')
  })
})
