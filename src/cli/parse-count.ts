import { InvalidArgumentError } from 'commander'

/** A whole number of 1 or more, as an option's value. */
export function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('a whole number of 1 or more')
  return count
}
