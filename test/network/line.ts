import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'

/** Where coordinator and holder are, in the two ends of a line. */
export const addresses = { coordinator: '10.213.7.1', moved: '10.213.7.3', holder: '10.213.7.2' } as const

/** Why this machine has no lines to test on; undefined when it has. */
export function whyNoLines(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux'
  if (process.getuid?.() !== 0) return 'making network namespaces takes root'
  for (const [command, ...args] of [
    ['ip', 'netns', 'list'],
    ['tc', '-V'],
    ['iptables', '-V'],
  ]) {
    try {
      execFileSync(command, args, { stdio: 'ignore' })
    } catch {
      return `"${command}" is not there, or may not be used (Debian: apt install iproute2 iptables)`
    }
  }
  return undefined
}

let lines = 0

/**
 * Two network namespaces with a line between them, of a test's own making: slow, lossy, cut, or silent. Nothing of it is seen
 * outside; `close` removes it.
 */
export class Line implements Disposable {
  readonly coordinator: string
  readonly holder: string

  constructor() {
    const name = `sl${process.pid}-${lines++}`
    this.coordinator = `${name}c`
    this.holder = `${name}h`
    run('ip', 'netns', 'add', this.coordinator)
    run('ip', 'netns', 'add', this.holder)
    run(
      'ip',
      '-n',
      this.coordinator,
      'link',
      'add',
      'line',
      'type',
      'veth',
      'peer',
      'name',
      'line',
      'netns',
      this.holder,
    )
    for (const [namespace, address] of [
      [this.coordinator, addresses.coordinator],
      [this.holder, addresses.holder],
    ]) {
      run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
      run('ip', '-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'line')
      run('ip', '-n', namespace, 'link', 'set', 'line', 'up')
    }
  }

  /** A bottleneck in both directions, with the queue of a cheap router before it. */
  slowDown(megabits: number): void {
    for (const namespace of [this.coordinator, this.holder]) {
      run(
        'tc',
        '-n',
        namespace,
        'qdisc',
        'replace',
        'dev',
        'line',
        'root',
        'tbf',
        'rate',
        `${megabits}mbit`,
        'burst',
        '64kb',
        'latency',
        '200ms',
      )
    }
  }

  /** Each packet is lost with this probability, in both directions. */
  lose(probability: number): void {
    for (const namespace of [this.coordinator, this.holder]) {
      iptables(
        namespace,
        '-A',
        'INPUT',
        '-i',
        'line',
        '-m',
        'statistic',
        '--mode',
        'random',
        '--probability',
        `${probability}`,
        '-j',
        'DROP',
      )
    }
  }

  /** Nothing gets through, and nobody is told: both ends take the connection for open. */
  silence(): void {
    for (const namespace of [this.coordinator, this.holder])
      iptables(namespace, '-I', 'INPUT', '-i', 'line', '-j', 'DROP')
  }

  /**
   * The holder's connections are reset by something in between, and new ones too; the coordinator is not told, and takes the
   * old ones for open.
   */
  cut(): void {
    iptables(this.coordinator, '-I', 'INPUT', '-i', 'line', '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset')
  }

  /** After `silence` or `cut`. */
  mend(): void {
    for (const namespace of [this.coordinator, this.holder]) iptables(namespace, '-F', 'INPUT')
  }

  /** The coordinator's host has another address from now on, and no more the one it had. */
  moveCoordinator(): void {
    run('ip', '-n', this.coordinator, 'address', 'add', `${addresses.moved}/24`, 'dev', 'line')
    run('ip', '-n', this.coordinator, 'address', 'delete', `${addresses.coordinator}/24`, 'dev', 'line')
  }

  /** What the holder's host takes a name for, from now on. */
  nameCoordinator(name: string, address: string): void {
    const directory = `/etc/netns/${this.holder}`
    mkdirSync(directory, { recursive: true })
    // In place: processes of the namespace see this very file.
    writeFileSync(`${directory}/hosts`, `${address} ${name}\n`)
  }

  /** Bytes of packets that came to the coordinator. */
  get bytesArrived(): number {
    const [{ stats64 }] = JSON.parse(run('ip', '-n', this.coordinator, '-s', '-j', 'link', 'show', 'dev', 'line'))
    return stats64.rx.bytes
  }

  [Symbol.dispose](): void {
    run('ip', 'netns', 'delete', this.coordinator)
    run('ip', 'netns', 'delete', this.holder)
    rmSync(`/etc/netns/${this.holder}`, { recursive: true, force: true })
  }
}

function iptables(namespace: string, ...args: string[]): void {
  run('ip', 'netns', 'exec', namespace, 'iptables', '-w', ...args)
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
