/** Values that one label may have; each is a time series for ever. */
const VALUES_MAX = 64
const FORM = /^[a-z][a-z0-9-]{0,39}$/

/**
 * Values of a label that peers have a say in, the codes of their refusals: whoever answers with a new word each time must not fill
 * the memory of this process and of the database that scrapes it. After {@link VALUES_MAX} values the rest are `other`.
 */
export class BoundedLabels {
  readonly #known = new Set<string>()

  bound(value: string): string {
    if (this.#known.has(value)) return value
    if (!FORM.test(value) || this.#known.size >= VALUES_MAX) return 'other'
    this.#known.add(value)
    return value
  }
}
