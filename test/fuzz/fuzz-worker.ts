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
type Judgement = import('./judge-input.ts').Judgement
type FindingKind = import('./judge-input.ts').FindingKind
type FuzzWorkerData = import('./fuzz-run.ts').FuzzWorkerData
type FuzzWorkerMessage = import('./fuzz-run.ts').FuzzWorkerMessage

const MUTANTS_PER_BATCH = 48
const STRUCTURED_PER_BATCH = 16
/** Inputs that joined a corpus because nothing before had their outcome. */
const DISCOVERIES_MAX = 200
/** Findings of one kind at one decoder that are told: the next is most likely the same. */
const FINDINGS_PER_KIND_MAX = 2
const REPETITIONS = 3

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

const { seed, limit, targetsModule, skip, only, slot: slotBuffer } = workerData as FuzzWorkerData
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
// Every decoder has a turn, whatever the time.
for (const course of courses) await runBatch(course)
if ('batches' in limit) {
  for (const course of courses) while (course.batch < limit.batches) await runBatch(course)
} else {
  const endMs = performance.now() + limit.seconds * 1000
  while (courses.length > 0 && performance.now() < endMs) await runBatch(nextCourse())
}
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
  if (finding) return report(course, input, finding)
  if (course.outcomes.has(outcome)) return
  course.outcomes.add(outcome)
  if (course.pool.length < course.target.corpus.length + DISCOVERIES_MAX) course.pool.push(input)
}

async function report(course: Course, input: Uint8Array, found: NonNullable<Judgement['finding']>): Promise<void> {
  const { target, findings } = course
  const count = findings.get(found.kind) ?? 0
  if (count >= FINDINGS_PER_KIND_MAX || !(await isFoundAgain(target, input, found.kind))) return
  findings.set(found.kind, count + 1)
  const small = await shrinkInput(input, (candidate) => isFound(target, candidate, found.kind))
  const again = (await judgeInput(target, small, meter)).finding
  send({ kind: 'finding', finding: { target: target.name, ...(again ?? found), input: small } })
}

/** Time and memory of a first call are also those of what it compiles and keeps: what counts must come back. */
async function isFoundAgain(target: FuzzTarget, input: Uint8Array, kind: FindingKind): Promise<boolean> {
  for (let i = 0; i < REPETITIONS; i++) if (await isFound(target, input, kind)) return true
  return false
}

async function isFound(target: FuzzTarget, input: Uint8Array, kind: FindingKind): Promise<boolean> {
  return (await judgeInput(target, input, meter)).finding?.kind === kind
}
