import { readFileSync } from 'node:fs'

const packageJson: { version: string } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)

/** The version of this package. */
export const SOFTWARE_VERSION = packageJson.version

/** How a process of this package introduces itself to its peers. */
export const SOFTWARE = `sluice/${SOFTWARE_VERSION}`
