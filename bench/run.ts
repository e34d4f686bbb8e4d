/** Every bench of `npm run bench`; `--json` prints one object a line, one line a case. */
await import('./payload.ts')
if (!process.argv.includes('--huge') && !process.argv.includes('--workers')) {
  await import('./linear-hash.ts')
  await import('./shares.ts')
  await import('./share-check.ts')
}
