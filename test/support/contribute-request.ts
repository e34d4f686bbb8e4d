import type { Envelope } from '../../src/crypto/envelope.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'

/** A request to contribute to a plan, with nothing behind it: for what carries requests and does not read them. */
export function contributeRequest(plan: Envelope): Extract<HolderRequest, { kind: 'contribute' }> {
  return {
    kind: 'contribute',
    plan,
    checkpoint: { note: '', oldSize: 0, proof: [] },
    range: { start: 0, before: [], entries: [], payloads: [] },
    job: { envelope: plan, position: 0, path: [] },
    publications: [],
    abandonments: [],
  }
}
