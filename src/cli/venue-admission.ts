import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { AdmissionDesk } from '../coordinator/admissions.ts'
import { applicationStatement } from '../protocol/registry-statements.ts'
import { parseStatement } from '../protocol/statement.ts'
import type { EnrolmentDesk } from '../wire/enrolment-service.ts'
import type { HolderSessions } from '../wire/holder-sessions.ts'
import type { CertificateDesk, MemberLookup } from '../wire/peer.ts'
import { CertificateOffice } from './certificate-office.ts'
import { EnrolmentOffice } from './enrolment-office.ts'
import { InviteBook } from './invite-book.ts'
import { type RevocationRequest, watchRevocations } from './revocation-requests.ts'
import type { VenueFiles } from './venue-files.ts'

export interface VenueAdmissionParts {
  /** Of the venue. */
  readonly directory: string
  readonly venue: VenueFiles
  readonly desk: AdmissionDesk
  readonly sessions: HolderSessions
  readonly log: Logger
}

/** What a coordinator's servers ask about members, certificates and invites; see `openVenueAdmission`. */
export interface VenueAdmission {
  readonly members: MemberLookup
  readonly certificates: CertificateDesk
  readonly enrolment: EnrolmentDesk
  /** To be called when the desk refuses a request: its holder waits no longer. */
  refreshPending(): Promise<void>
  /** Stops looking for revocations. */
  close(): Promise<void>
}

const HOUR_MS = 3_600_000

/**
 * Ties a running coordinator's registry to the files of its venue: invites, certificates, the operator's revocations.
 * @throws CliError, StoreError before anything is served
 */
export async function openVenueAdmission(parts: VenueAdmissionParts): Promise<VenueAdmission> {
  const { directory, venue, desk, log } = parts
  const { config, authority } = venue
  const certificates = await CertificateOffice.open(directory, authority, config.certificateLifetimeHours * HOUR_MS)
  const pending = await openPendingHolders(desk)
  const office = new EnrolmentOffice({
    venue: config.venue,
    authorityPem: authority.certificatePem,
    invites: new InviteBook(directory),
    certificates,
    applications: desk,
    now: () => new Date(),
  })
  const closing = new AbortController()
  const onFault = (error: unknown) => log.error({ event: 'fault', err: error }, 'a revocation could not be taken in')
  const following = followOthers(parts, certificates, pending.refresh, closing.signal)
  const watching = watchRevocations(
    directory,
    (request) => revoke(request, parts, certificates),
    onFault,
    closing.signal,
  )
  return {
    members: { has: (holder) => desk.registry.members.has(holder), isPending: (holder) => pending.names.has(holder) },
    certificates,
    enrolment: {
      enrol: async (enrolment) => {
        const verdict = await office.enrol(enrolment)
        await pending.refresh()
        if (!verdict.ok) log.warn({ event: 'enrolment-refused', code: verdict.code }, verdict.reason)
        else log.info({ event: 'enrolled' }, 'an invited party has its certificate')
        return verdict
      },
    },
    refreshPending: pending.refresh,
    close: async () => {
      closing.abort()
      pending.close()
      await Promise.all([watching, following])
    },
  }
}

/** What another coordinator of the venue has admitted, revoked or left pending is looked for so often. */
const FOLLOW_MS = 1000

/** Takes in what other coordinators over the same database and directory have done, until the signal fires. */
async function followOthers(
  { desk, sessions, log }: VenueAdmissionParts,
  certificates: CertificateOffice,
  refreshPending: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let isFaulty = false
  while (!signal.aborted) {
    await sleep(FOLLOW_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      await desk.refresh()
      await refreshPending()
      // Whoever is connected under a certificate that is revoked now dials again, and is met by name.
      if ((await certificates.refresh()) > 0) for (const holder of sessions.connected()) sessions.end(holder)
      isFaulty = false
    } catch (error) {
      if (!isFaulty) log.error({ event: 'fault', err: error }, 'the other coordinators of the venue cannot be followed')
      isFaulty = true
    }
  }
}

/** What the operator wants taken back: certificates and session at once, the membership when the members have signed. */
async function revoke(
  { role, name, reason }: RevocationRequest,
  { desk, sessions, log }: VenueAdmissionParts,
  certificates: CertificateOffice,
): Promise<Pick<RevocationRequest, 'state' | 'outcome'>> {
  const count = await certificates.revoke({ role, name })
  if (role === 'holder') sessions.end(name)
  const departure = role === 'holder' ? await desk.revoke(name, reason) : undefined
  log.warn({ event: 'revoked', role, name, certificates: count }, `revoked ${role} ${name}: ${reason}`)
  if (count === 0 && !departure?.ok) {
    return { state: 'refused', outcome: `${name} is no ${role} of this venue that has a certificate or a membership.` }
  }
  const membership = departure && membershipOutcome(departure.ok ? departure.value : departure.reason)
  return { state: 'done', outcome: [`Revoked ${count} certificates of ${name}.`, membership].filter(Boolean).join(' ') }
}

function membershipOutcome(state: string): string {
  if (state === 'pending') return 'Its membership ends when the other members have signed that.'
  return state === 'entered' ? 'Its membership has ended.' : `Its membership: ${state}`
}

/** Which holders have applied and not been entered or refused: kept in memory, since every call of one asks. */
async function openPendingHolders(desk: AdmissionDesk) {
  const names = new Set<string>()
  const load = async () => {
    const applied = (await desk.pending()).flatMap(({ request }) => {
      const read = parseStatement(applicationStatement, request)
      return read.ok ? [read.value.member.holder] : []
    })
    names.clear()
    for (const name of applied) names.add(name)
  }
  // One after another: an earlier answer must not take the place of a later one.
  let queue = Promise.resolve()
  const refresh = () => {
    const turn = queue.then(load)
    queue = turn.catch(() => undefined)
    return turn
  }
  await refresh()
  // An entry settles one request, and may have the next one refused.
  const close = desk.onChange(() => void refresh().catch(() => undefined))
  return { names, refresh, close }
}
