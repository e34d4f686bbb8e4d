// Prints the closing lines of every suite, names every skipped test with the reason in its name, and fails when a suite
// failed, ran nothing, or skipped a test that states no reason.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = process.argv[2]
let passed = 0
let failed = 0
let skipped = 0
let unexplained = 0
for (const file of readdirSync(directory).filter((name) => name.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(directory, file), 'utf8'))
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  const count = (...states) => tests.filter(({ status }) => states.includes(status)).length
  const own = { passed: count('passed'), failed: count('failed'), skipped: count('pending', 'skipped', 'todo') }
  console.log(`${file.replace('.json', '')}: ${own.passed} passed, ${own.failed} failed, ${own.skipped} skipped`)
  for (const { fullName } of tests.filter(({ status }) => ['pending', 'skipped', 'todo'].includes(status))) {
    // A reason reads "needs …" or "because …" in the test's or its suite's name.
    const explained = /\b(needs|because) /.test(fullName)
    if (!explained) unexplained++
    console.log(`  skipped${explained ? '' : ' WITHOUT A REASON'}: ${fullName}`)
  }
  passed += own.passed
  failed += own.failed + (report.success || own.failed > 0 ? 0 : 1) + (tests.length === 0 ? 1 : 0)
  skipped += own.skipped
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exit(failed === 0 && unexplained === 0 && passed > 0 ? 0 : 1)
