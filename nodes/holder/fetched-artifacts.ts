import type { Digest } from '../../src/crypto/digest.ts'

/** Of each of a few jobs that run side by side: its statistics and its latest models. */
const ARTIFACTS_KEPT = 12
/** Bytes beyond which only the latest is kept: a large model is fetched again rather than kept beside others. */
const BYTES_KEPT = 512 * 2 ** 20

/** Inputs of rounds in memory, so that each is fetched once; those not asked for the longest go first. */
export class FetchedArtifacts {
  readonly #fetch: (digest: Digest) => Promise<Uint8Array>
  readonly #kept = new Map<Digest, { readonly bytes: Promise<Uint8Array>; size: number }>()

  constructor(fetch: (digest: Digest) => Promise<Uint8Array>) {
    this.#fetch = fetch
  }

  /** The bytes of an artifact; whoever asks while it comes waits for the same. What failed is asked for anew. */
  get(digest: Digest): Promise<Uint8Array> {
    const known = this.#kept.get(digest)
    const artifact = known ?? { bytes: this.#fetch(digest), size: 0 }
    this.#kept.delete(digest)
    this.#kept.set(digest, artifact)
    if (known) return known.bytes
    artifact.bytes.then(
      ({ length }) => {
        artifact.size = length
        this.#forgetOldest()
      },
      () => this.#kept.delete(digest),
    )
    return artifact.bytes
  }

  #forgetOldest(): void {
    let bytes = [...this.#kept.values()].reduce((sum, { size }) => sum + size, 0)
    for (const [digest, { size }] of [...this.#kept].slice(0, -1)) {
      if (bytes <= BYTES_KEPT && this.#kept.size <= ARTIFACTS_KEPT) return
      this.#kept.delete(digest)
      bytes -= size
    }
  }
}
