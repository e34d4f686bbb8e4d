/**
 * A small, fast generator for choosing mutations (sfc32 of PractRand): the same label and seed give the same choices on
 * every machine. Not for anything secret.
 */
export class RandomStream {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** @param seed any integer. @param label what the stream is for: streams of different labels are unrelated. */
  constructor(seed: number, label: string) {
    let hash = 0x811c9dc5
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193)
    this.#a = seed | 0
    this.#b = hash | 0
    this.#c = Math.floor(seed / 2 ** 32) | 0
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** 0…2^32 − 1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** 0…end − 1, for 1 ≤ end ≤ 2^32; the bias of the remainder does not matter here. */
  below(end: number): number {
    return this.uint32() % end
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }

  /** @param values not empty */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]
  }
}
