/** A process that takes the directory of its first argument, says so, and lives until it is killed. */
import { writeSync } from 'node:fs'
import { lockDirectory } from '../../src/store/directory-lock.ts'

const lock = lockDirectory(process.argv[2])
writeSync(1, 'held\n')
setInterval(() => lock, 60_000)
