import { describe, it } from 'vitest'

/** What an attack says of itself: the rows of `npm run attacks` are made of these words, and of nothing else. */
export interface AttackWords {
  readonly name: string
  /** Who attacks: `coordinator`, `contributor`, `member`, … */
  readonly by: string
  /** What is won where the guard is off. */
  readonly wins: string
  /** Why nothing is won where the guard is on. */
  readonly guard: string
  /** Lines of the list in docs/PROTOCOL.md of what every implementation must survive. */
  readonly lines?: readonly number[]
}

/** What no rule of this system forbids, shown: a claim that says otherwise is wrong. */
export interface LimitWords {
  readonly name: string
  readonly by: string
  readonly wins: string
  /** Why it is borne, or what else is against it. */
  readonly because: string
}

declare module 'vitest' {
  interface TaskMeta {
    attack?: AttackWords
    limit?: LimitWords
  }
}

type Shown = () => void | Promise<void>

/**
 * An attack in two tests. `off` does the attacked party's computation without asking its rules, and shows what is won;
 * `on` asks them, and shows that nothing is.
 */
export function attack({ off, on, ...words }: AttackWords & { readonly off: Shown; readonly on: Shown }): void {
  describe(words.name, () => {
    it(`wins ${words.wins}: guard off`, { meta: { attack: words } }, off)
    it(`wins nothing, ${words.guard}: guard on`, { meta: { attack: words } }, on)
  })
}

/** An attack that works. */
export function limit({ shown, ...words }: LimitWords & { readonly shown: Shown }): void {
  describe(words.name, () => {
    it(`wins ${words.wins}`, { meta: { limit: words } }, shown)
  })
}
