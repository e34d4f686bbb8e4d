import { InvalidArgumentError } from 'commander'

/** A whole number of 1 or more, as an option's value. */
export function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('a whole number of 1 or more')
  return count
}

/** A whole number of 0 or more, as an option's value. */
export function parsePosition(text: string): number {
  const position = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(position)) {
    throw new InvalidArgumentError('a whole number of 0 or more')
  }
  return position
}

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration as an option's value, `30m`, `12h` or `7d`, in milliseconds; a year at most. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? []
  const durationMs = Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]
  if (!(durationMs <= 365 * UNITS_MS.d))
    throw new InvalidArgumentError('a duration such as 30m, 12h or 7d, a year at most')
  return durationMs
}
