import { parentPort, workerData } from 'node:worker_threads'
import fc from 'fast-check'
import { installAllocationMeter } from './allocation-meter.ts'

// Before the decoders are loaded: they and their libraries keep the constructors that they find.
const meter = installAllocationMeter()
const { mutate } = await import('./byte-mutator.ts')
const { RandomStream } = await import('./random-stream.ts')
const { InputSlot } = await import('./input-slot.ts')
const { judgeInput } = await import('./judge-input.ts')
const { shrinkInput } = await import('./shrink-input.ts')
type FuzzTarget = import('./fuzz-target.ts').FuzzTarget
type FuzzWorkerData = import('./fuzz-run.ts').FuzzWorkerData
type FuzzWorkerMessage = import('./fuzz-run.ts').FuzzWorkerMessage

const MUTANTS_PER_BATCH = 48
const STRUCTURED_PER_BATCH = 16
/** Inputs that joined a corpus because nothing before had their outcome. */
const DISCOVERIES_MAX = 200
/** Findings of one kind at one decoder that are told: the next is most likely the same. */
const FINDINGS_PER_KIND_MAX = 2

interface Course {
  readonly target: FuzzTarget
  readonly index: number
  readonly pool: Uint8Array[]
  readonly outcomes: Set<string>
  readonly findings: Map<string, number>
  batch: number
  inputs: number
  accepted: number
  spentMs: number
}

const { seed, seconds, targetsModule, skip, only, slot: slotBuffer } = workerData as FuzzWorkerData
const slot = new InputSlot(slotBuffer)
const send = (message: FuzzWorkerMessage): void => parentPort!.postMessage(message)

const { allTargets } = (await import(targetsModule)) as { allTargets(): Promise<FuzzTarget[]> }
const courses = (await allTargets())
  .filter(({ name }) => name.includes(only) && !skip.includes(name))
  .map((target, index): Course => {
    const counts = { batch: 0, inputs: 0, accepted: 0, spentMs: 0 }
    return { target, index, pool: [...target.corpus], outcomes: new Set(), findings: new Map(), ...counts }
  })
send({ kind: 'started', targets: courses.map(({ target }) => target.name) })
const endMs = performance.now() + seconds * 1000
for (const course of courses) await runBatch(course)
while (courses.length > 0 && performance.now() < endMs) await runBatch(nextCourse())
send({
  kind: 'done',
  statistics: courses.map(({ target, inputs, accepted, spentMs, outcomes }) => {
    return { target: target.name, inputs, accepted, spentMs, outcomes: outcomes.size }
  }),
})

/**
 * Whose turn it is. With equal time a slow decoder would see few inputs, with equal inputs it would take all the time: the
 * time of each is proportional to the square root of what an input costs there.
 */
function nextCourse(): Course {
  const debt = ({ spentMs, inputs }: Course) => spentMs / Math.sqrt(spentMs / inputs)
  return courses.reduce((least, course) => (debt(course) < debt(least) ? course : least))
}

/** Batch n of a decoder is the same in every run of a seed, whatever the machine had time for between. */
async function runBatch(course: Course): Promise<void> {
  const { target, pool } = course
  const random = new RandomStream(seed, `${target.name}/${course.batch}`)
  for (let i = 0; i < MUTANTS_PER_BATCH; i++) await tryInput(course, mutate(pool, random))
  if (target.structured) {
    for (const input of fc.sample(target.structured, { seed: random.uint32() | 0, numRuns: STRUCTURED_PER_BATCH })) {
      await tryInput(course, input)
    }
  }
  course.batch++
}

async function tryInput(course: Course, input: Uint8Array): Promise<void> {
  const startedMs = performance.now()
  slot.put(course.index, input)
  const { outcome, accepted, finding } = await judgeInput(course.target, input, meter)
  slot.clear()
  course.spentMs += performance.now() - startedMs
  course.inputs++
  if (accepted) course.accepted++
  if (finding) return report(course, input, finding.kind)
  if (course.outcomes.has(outcome)) return
  course.outcomes.add(outcome)
  if (course.pool.length < course.target.corpus.length + DISCOVERIES_MAX) course.pool.push(input)
}

async function report(course: Course, input: Uint8Array, kind: string): Promise<void> {
  const count = course.findings.get(kind) ?? 0
  course.findings.set(kind, count + 1)
  if (count >= FINDINGS_PER_KIND_MAX) return
  const stillFound = async (candidate: Uint8Array) =>
    (await judgeInput(course.target, candidate, meter)).finding?.kind === kind
  const small = await shrinkInput(input, stillFound)
  const { finding } = await judgeInput(course.target, small, meter)
  send({ kind: 'finding', finding: { target: course.target.name, ...finding!, input: small } })
}
