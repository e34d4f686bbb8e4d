import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDirectory } from '../../src/store/directory-lock.ts'

const codeOf = (run: () => unknown) => {
  try {
    run()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('The lock of a directory', () => {
  let directory: string
  let holders: ChildProcess[]
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-lock-'))
    holders = []
  })
  afterEach(() => {
    for (const holder of holders) holder.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  })

  async function holdElsewhere(): Promise<ChildProcess> {
    const script = new URL('./hold-directory.ts', import.meta.url).pathname
    const holder = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'pipe'] })
    holders.push(holder)
    const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder.stderr, 'data')])
    expect(String(said)).toBe('held\n')
    return holder
  }

  it('is refused while another process holds it, by that name, and taken over when that one is killed', async () => {
    const holder = await holdElsewhere()
    expect(() => lockDirectory(directory)).toThrow(`process ${holder.pid}`)
    expect(codeOf(() => lockDirectory(directory))).toBe('directory-in-use')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    lockDirectory(directory).release()
  })

  it('is refused to the process that holds it, until it is released', () => {
    const lock = lockDirectory(directory)
    expect(codeOf(() => lockDirectory(directory))).toBe('directory-in-use')
    lock.release()
    lock.release()
    lockDirectory(directory).release()
  })

  it('is given to one of many that ask at once', () => {
    const codes = Array.from({ length: 8 }, () => codeOf(() => lockDirectory(directory)))
    expect(codes.sort()).toEqual([...Array(7).fill('directory-in-use'), 'none'])
  })

  it('needs a directory', () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    expect(codeOf(() => lockDirectory(file))).toBe('directory-unusable')
    expect(codeOf(() => lockDirectory(join(directory, 'absent')))).toBe('directory-unusable')
  })
})
