import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/** One row of a table, by the names of its columns. */
export type Row = Readonly<Record<string, string>>

/** A page as it stands. @param page from the root of the repository. */
export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}

/** A page's text from a heading of the second level to the next one. */
export function section(page: string, heading: string): string {
  const found = readPage(page)
    .split(/^## /m)
    .find((part) => part.startsWith(`${heading}\n`))
  if (found === undefined) throw new Error(`${page} has no section "${heading}"`)
  return found
}

/** The bodies of a text's code blocks with exactly this info string, in order. */
export function fencedBlocks(text: string, info: string): string[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, found, body]) => (found === info ? [body] : []))
}

/** All tables of a text. */
export function tables(text: string): Row[][] {
  const groups = text.match(/(?:^\|.*\n)+/gm) ?? []
  return groups.map((group) => {
    const [names, , ...rows] = group.trim().split('\n').map(cells)
    return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])))
  })
}

function cells(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim())
}

/** The table of a page whose first column, in backticks, names this member; rows by that name. */
export function documentedTable(page: string, member: string): ReadonlyMap<string, Row> {
  for (const rows of tables(readPage(page))) {
    const named = new Map(rows.map((row) => [Object.values(row)[0].replaceAll('`', ''), row]))
    if (named.has(member)) return named
  }
  throw new Error(`${page} has no table with a row ${member}`)
}

/** What stands in backticks in a text. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code)
}
