import { LogError } from './log-error.ts'

/** Hashes of a full tile, entries of a full bundle: tiles have height 8 (tlog-tiles, Merkle Tree). */
export const TILE_WIDTH = 256

/** Which tile: of hashes at a level, or of entries (a bundle). */
export interface TileAddress {
  /** Tile level 0…63, level l holding roots of 256^l entries; or `entries`. */
  readonly level: number | 'entries'
  /** Counts from 0 within the level. */
  readonly index: number
  /** Hashes or entries in it: 1…255 of a partial tile, 256 of a full one. */
  readonly width: number
}

const PATH_FORM = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/**
 * The resource path of a tile, below the log's prefix: `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]` with N in
 * groups of three digits, `x001/x234/067` (tlog-tiles, Merkle Tree).
 */
export function tilePath({ level, index, width }: TileAddress): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? []
  const name = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  return `tile/${level}/${name}${width < TILE_WIDTH ? `.p/${width}` : ''}`
}

/**
 * The inverse of {@link tilePath}; a path has one form, so that a cache or a store never holds a tile twice.
 * @throws LogError `malformed-tile-path`
 */
export function parseTilePath(path: string): TileAddress {
  const match = PATH_FORM.exec(path)
  if (match) {
    const level = match[1] === 'entries' ? 'entries' : Number(match[1])
    const address: TileAddress = {
      level,
      index: Number(match[2].replaceAll(/[x/]/g, '')),
      width: Number(match[3] ?? TILE_WIDTH),
    }
    const canonical = Number.isSafeInteger(address.index) && (level === 'entries' || level <= 63)
    if (canonical && tilePath(address) === path) return address
  }
  throw new LogError('malformed-tile-path', 'Not the path of a tile or an entry bundle; see C2SP tlog-tiles.')
}

/** The full tile that a partial one grows into. */
export function fullTile(address: TileAddress): TileAddress {
  return { ...address, width: TILE_WIDTH }
}

/**
 * The tile with number `index` of this level as a tree of `size` entries has it: full, partial, or undefined when the
 * tree does not reach it (tlog-tiles, Partial Tiles).
 */
export function tileInTree(level: number | 'entries', index: number, size: number): TileAddress | undefined {
  const hashes = Math.floor(size / TILE_WIDTH ** (level === 'entries' ? 0 : level))
  const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH)
  return width > 0 ? { level, index, width } : undefined
}
