import { basename } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import type { AttackWords, LimitWords } from './attack.ts'

interface Row<Words> {
  readonly words: Words
  readonly file: string
  holds: boolean
}

/** Lines of the list in docs/PROTOCOL.md of what every implementation must survive. */
const LINES = Array.from({ length: 15 }, (_, i) => i + 1)
/** The sampler, known answers and the ring's products: computations, which are right or wrong, and nobody attacks. */
const SHOWN_IN_CRYPTO = [3]

/** Prints every attack of the run as one table, after the run; a second one of what is borne. */
export default class AttackTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const attacks = collectRows<AttackWords>(modules, (test) => test.meta().attack)
    const limits = collectRows<LimitWords>(modules, (test) => test.meta().limit)
    printTable(
      ['attack', 'who', 'what it wins without the guard', 'with the guard', 'test'],
      attacks.map(({ words, file, holds }) => [
        words.name,
        words.by,
        words.wins,
        holds ? words.guard : 'IT SUCCEEDS',
        file,
      ]),
    )
    printTable(
      ['no rule forbids', 'who', 'what it wins', 'why it is borne', 'test'],
      limits.map(({ words, file, holds }) => [
        words.name,
        words.by,
        words.wins,
        holds ? words.because : 'NOT SHOWN',
        file,
      ]),
    )
    const failed = [...attacks, ...limits].filter(({ holds }) => !holds).length
    const attacked = new Set(attacks.flatMap(({ words }) => words.lines ?? []))
    const missing = LINES.filter((line) => !attacked.has(line) && !SHOWN_IN_CRYPTO.includes(line))
    console.log(`${attacks.length} attacks, ${limits.length} limits, ${failed} not as they should be.`)
    const found = LINES.filter((line) => attacked.has(line)).join(', ')
    console.log(`Lines of what every implementation must survive that are attacked here: ${found}.`)
    console.log(`Shown in test/crypto: ${SHOWN_IN_CRYPTO.join(', ')}. Nowhere: ${missing.join(', ') || 'none'}.`)
  }
}

/** One row for each name: its tests hold, or it does not. */
function collectRows<Words extends { readonly name: string }>(
  modules: readonly TestModule[],
  wordsOf: (test: TestCase) => Words | undefined,
): Row<Words>[] {
  const rows = new Map<string, Row<Words>>()
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const words = wordsOf(test)
      if (!words) continue
      const file = basename(module.moduleId).replace('.test.ts', '')
      const row = rows.get(`${file}/${words.name}`) ?? { words, file, holds: true }
      row.holds &&= test.result().state === 'passed'
      rows.set(`${file}/${words.name}`, row)
    }
  }
  return [...rows.values()]
}

const WIDTHS = [44, 12, 44, 44, 22]

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log()
  for (const cells of [head, head.map((_, i) => '─'.repeat(WIDTHS[i])), ...rows]) {
    const wrapped = cells.map((cell, i) => wrap(cell, WIDTHS[i]))
    const height = Math.max(...wrapped.map(({ length }) => length))
    for (let line = 0; line < height; line++) {
      console.log(
        wrapped
          .map((lines, i) => (lines[line] ?? '').padEnd(WIDTHS[i]))
          .join('  ')
          .trimEnd(),
      )
    }
  }
}

function wrap(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.length - 1
    const longer = lines[last] === '' ? word : `${lines[last]} ${word}`
    if (longer.length <= width || lines[last] === '') lines[last] = longer
    else lines.push(word)
  }
  return lines
}
