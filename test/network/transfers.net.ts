/**
 * Transfers between real processes over real lines that are slow, lossy, cut, silent or led elsewhere (docs/adr/0014). Takes
 * root, `ip`, `tc` and `iptables` on Linux, and is skipped, saying why, without them. How large and how slow:
 * SLUICE_NETWORK_MEGABYTES (30) and SLUICE_NETWORK_MEGABITS (40).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { PART_CHUNKS } from '../../src/coordinator/ports.ts'
import { createAuthority, issueCertificate } from '../../src/crypto/certificates.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { addresses, Line, whyNoLines } from './line.ts'
import { artifactOf, chunksOf, keySum, type NetworkCase, payloadOfBytes } from './network-case.ts'
import { PlacedProcess } from './placed-process.ts'

const megabytes = Number(process.env.SLUICE_NETWORK_MEGABYTES ?? 30)
const megabits = Number(process.env.SLUICE_NETWORK_MEGABITS ?? 40)
const DAY_MS = 86_400_000
const LISTEN = '0.0.0.0:7443'
const VENUE = 'hearts.example'
const reason = whyNoLines()
const subject = (name: string) => (reason ? `${name} needs lines of its own, and ${reason}` : name)

let root: string
let network: NetworkCase
let line: Line
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-network-'))
  network = await caseOf(megabytes * 1e6)
  line = new Line()
})
afterEach(() => {
  line[Symbol.dispose]()
  rmSync(root, { recursive: true })
})

async function caseOf(bytes: number): Promise<NetworkCase> {
  const authority = await createAuthority(VENUE, 10 * DAY_MS)
  const identity = { venue: VENUE, role: 'holder', name: 'cleveland' } as const
  const leaf = await issueCertificate(authority, identity, DAY_MS, ['localhost'])
  const parameters = payloadOfBytes(bytes)
  return {
    venue: VENUE,
    plan: digestOf(Buffer.from(root)),
    parameters,
    chunkBytes: parameters.ciphertextBytes / parameters.chunkCount,
    authority,
    tls: { ...leaf, authorityPem: authority.certificatePem },
    directory: join(root, 'coordinator'),
    idleMs: 5000,
    patienceMs: 900_000,
  }
}

function place(namespace: string, script: string, config: object): PlacedProcess {
  const placed = new PlacedProcess(namespace, script, config)
  onTestFinished(() => placed.kill())
  return placed
}

async function startCoordinator(listen = LISTEN): Promise<PlacedProcess> {
  const coordinator = place(line.coordinator, 'coordinator-process.ts', { ...network, listen })
  await coordinator.until('listening')
  return coordinator
}

function startHolder(more: object = {}): PlacedProcess {
  const address = `${addresses.coordinator}:7443`
  const outbox = join(root, 'outbox')
  return place(line.holder, 'holder-process.ts', { ...network, address, outbox, task: 'upload', ...more })
}

async function expectedDigest(): Promise<string> {
  const digests: string[] = []
  for await (const chunk of chunksOf(network)) digests.push(digestOf(chunk))
  return payloadDigest(digests)
}

/** When so much of the ciphertext is durable at the coordinator. */
const durable = (coordinator: PlacedProcess, part: number) =>
  coordinator.until('durable', (chunks: number) => chunks >= part * network.parameters.chunkCount)

async function expectArrivedOnce(coordinator: PlacedProcess, holder: PlacedProcess, cuts: number) {
  const { uploaded } = await holder.until('uploaded')
  const { stored, bytes } = await coordinator.until('stored', (reference) => reference !== undefined)
  const { ciphertextBytes } = network.parameters
  expect(uploaded).toEqual({ digest: await expectedDigest(), bytes: ciphertextBytes })
  expect(stored).toEqual(uploaded)
  expect(bytes).toBeLessThan(1.05 * ciphertextBytes + cuts * PART_CHUNKS * network.chunkBytes)
  return { bytes: bytes as number, packets: line.bytesArrived, size: ciphertextBytes }
}

const aMegabitLine = `${megabytes} MB over ${megabits} Mbit/s`

describe.skipIf(reason)(subject('an upload'), () => {
  it(`of ${aMegabitLine} that is cut three times arrives once`, { timeout: 900_000 }, async () => {
    line.slowDown(megabits)
    const coordinator = await startCoordinator()
    const started = performance.now()
    const holder = startHolder()
    for (const part of [0.2, 0.45, 0.7]) {
      await durable(coordinator, part)
      line.cut()
      await sleep(1500)
      line.mend()
    }
    const { bytes, packets, size } = await expectArrivedOnce(coordinator, holder, 3)
    const { grownBytes } = holder.last('grownBytes')!
    const { rss } = coordinator.last('rss')!
    console.log({ seconds: (performance.now() - started) / 1000, size, bytes, packets, grownBytes, rss })
    // A few parts, whatever the size.
    expect(grownBytes).toBeLessThan(100e6)
    expect(coordinator.said.filter((saying) => 'resumed' in saying).length).toBeGreaterThanOrEqual(4)
  })

  it('arrives over a line that loses packets and is far away', async () => {
    line.slowDown(megabits)
    line.lose(0.01)
    const coordinator = await startCoordinator('127.0.0.1:7444')
    const proxy = place(line.coordinator, 'tcp-proxy-process.ts', {
      listen: LISTEN,
      target: '127.0.0.1:7444',
      delayMs: 40,
    })
    await proxy.until('listening')
    await expectArrivedOnce(coordinator, startHolder(), 0)
  })

  it('goes on after a silence in which both ends took the line for open', async () => {
    line.slowDown(megabits)
    const coordinator = await startCoordinator()
    const holder = startHolder()
    await durable(coordinator, 0.3)
    line.silence()
    // Longer than the idle deadline of both.
    await sleep(12_000)
    line.mend()
    await expectArrivedOnce(coordinator, holder, 1)
  })

  it('goes on with a coordinator that was killed, and started again at another address behind its name', async () => {
    line.slowDown(megabits)
    line.nameCoordinator('coordinator.test', addresses.coordinator)
    const first = await startCoordinator()
    const holder = startHolder({ address: 'coordinator.test:7443' })
    const { durable: chunks } = await durable(first, 0.3)
    await first.kill()
    line.moveCoordinator()
    line.nameCoordinator('coordinator.test', addresses.moved)
    const second = await startCoordinator()
    const { resumed } = await second.until('resumed')
    expect(resumed).toBeGreaterThanOrEqual(chunks as number)
    await expectArrivedOnce(second, holder, 0)
  })

  it('goes on through a proxy that drops its connections', async () => {
    line.slowDown(megabits)
    const coordinator = await startCoordinator('127.0.0.1:7444')
    const proxy = place(line.coordinator, 'tcp-proxy-process.ts', {
      listen: LISTEN,
      target: '127.0.0.1:7444',
      delayMs: 5,
    })
    await proxy.until('listening')
    const holder = startHolder()
    for (const part of [0.2, 0.6]) {
      await durable(coordinator, part)
      proxy.signal('SIGUSR2')
    }
    await expectArrivedOnce(coordinator, holder, 2)
  })

  it('of a holder that was killed goes on with the same bytes, from its outbox', async () => {
    line.slowDown(megabits)
    const coordinator = await startCoordinator()
    const first = startHolder()
    await first.until('made')
    await durable(coordinator, 0.3)
    await first.kill()
    const second = startHolder()
    await expectArrivedOnce(coordinator, second, 1)
    expect(second.last('again')).toMatchObject({ again: true })
  })
})

describe.skipIf(reason)(subject('a download'), () => {
  it('goes on where it was cut, and arrives whole', async () => {
    line.slowDown(megabits)
    const coordinator = await startCoordinator()
    const { artifact } = coordinator.last('artifact')!
    const holder = startHolder({ task: 'download', artifact })
    const { ciphertextBytes } = network.parameters
    for (const part of [0.2, 0.6]) {
      await holder.until('opened', (bytes: number) => bytes >= part * ciphertextBytes)
      line.cut()
      await sleep(1500)
      line.mend()
    }
    await holder.until('opening')
    await sleep(1000)
    line.cut()
    await sleep(1500)
    line.mend()
    const bytes = artifactOf(network)
    expect((await holder.until('opening')).opening).toBe(digestOf(keySum, bytes))
    expect((await holder.until('fetched')).fetched).toBe(artifact)
    // What the second download had, and no cut made it begin anew.
    expect(bytesSent(coordinator)).toBeLessThan(1.05 * 2 * ciphertextBytes + 3 * 8e6)
  })
})

function bytesSent(coordinator: PlacedProcess): number {
  return coordinator.last('sent')!.sent as number
}
