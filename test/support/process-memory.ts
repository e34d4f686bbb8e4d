import { readFileSync, writeFileSync } from 'node:fs'

/** What the kernel says of a process's resident memory, in bytes: now, and the most it ever was. */
export interface ProcessMemory {
  readonly rssBytes: number
  readonly peakRssBytes: number
}

/** From now on `peakRssBytes` is the most since now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** Linux only. @throws when the process has ended */
export function processMemory(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)![1])
  return { rssBytes: field('VmRSS'), peakRssBytes: field('VmHWM') }
}

/** Processor seconds that a process has used, in user and system mode. Linux, 100 ticks a second. */
export function processSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // Behind the name, which may hold anything: state is the first, utime the 12th, stime the 13th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
