import type { Digest } from '../../src/crypto/digest.ts'
import type { JobWorkspace } from './compute-step.ts'

/** Jobs whose records and examples are kept in memory: as many as a venue has a holder take part in at a time, and some. */
const WORKSPACES_KEPT = 4

/** The workspaces of the jobs that came last. One that is forgotten is made anew when its job comes again. */
export class JobWorkspaces {
  readonly #latest = new Map<Digest, JobWorkspace>()

  /** The workspace of a job. @param make for a job that has none, or none any more */
  open(job: Digest, make: () => JobWorkspace): JobWorkspace {
    const workspace = this.#latest.get(job) ?? make()
    this.#latest.delete(job)
    this.#latest.set(job, workspace)
    for (const oldest of [...this.#latest.keys()].slice(0, -WORKSPACES_KEPT)) this.#latest.delete(oldest)
    return workspace
  }
}
