import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { CertificateOffice } from '../../src/cli/certificate-office.ts'
import { makeInvite } from '../../src/cli/coordinator-actions.ts'
import { type Applications, EnrolmentOffice } from '../../src/cli/enrolment-office.ts'
import { decodeInvite, type Invite } from '../../src/cli/invite.ts'
import { InviteBook } from '../../src/cli/invite-book.ts'
import { type JoinedHolder, joinHolder } from '../../src/cli/join-holder.ts'
import { joinResearcher } from '../../src/cli/join-researcher.ts'
import { createVenue, loadVenue, type VenueFiles } from '../../src/cli/venue-files.ts'
import { emptyRegistry } from '../../src/protocol/registry.ts'
import { readApplication } from '../../src/protocol/registry-request.ts'
import type { Member } from '../../src/protocol/round-plan.ts'
import { accepted, refused } from '../../src/sluice-error.ts'
import { type Enrolment, startEnrolmentServer } from '../../src/wire/enrolment-service.ts'

/** Takes every application, and refuses a name that another's keys have taken. */
export class TestApplications implements Applications {
  registry: Applications['registry']
  readonly applied = new Map<string, Member>()

  constructor(venue: string) {
    this.registry = emptyRegistry(venue)
  }

  apply: Applications['apply'] = async (application) => {
    const read = readApplication(application)
    if (!read.ok) return read
    const { member } = read.value
    const known = this.applied.get(member.holder)
    if (known && known.statementKey !== member.statementKey) {
      return refused('already-admitted', `${member.holder} is a name that is taken.`)
    }
    this.applied.set(member.holder, member)
    return accepted('pending')
  }
}

/** A venue of files, and its enrolment on loopback: no rounds, no database. */
export interface TestVenue {
  readonly directory: string
  readonly files: VenueFiles
  readonly applications: TestApplications
  readonly certificates: CertificateOffice
  /** Every enrolment that came, before it was answered. */
  readonly seen: Enrolment[]
  /** Called when an enrolment has been taken in, before its answer leaves; may throw. */
  beforeAnswer: () => void
  now: () => Date
  invite(name: string, party: { organisation?: string; researcher?: boolean; expiresMs?: number }): Promise<Invite>
  /** Joins in `directory`. */
  joinHolder(name: string, directory: string, organisation?: string): Promise<JoinedHolder>
  joinResearcher(name: string, directory: string): Promise<void>
  close(): Promise<void>
}

const HOUR_MS = 3_600_000

export async function startTestVenue(directory: string, venue = 'hearts.example'): Promise<TestVenue> {
  await createVenue(directory, { venue, listen: '127.0.0.1:9' })
  const files = await loadVenue(directory)
  const applications = new TestApplications(venue)
  const now = () => venueUnderTest.now()
  const certificates = await CertificateOffice.open(directory, files.authority, 24 * HOUR_MS)
  const authorityPem = files.authority.certificatePem
  const invites = new InviteBook(directory)
  const office = new EnrolmentOffice({ venue, authorityPem, invites, certificates, applications, now })
  const desk = {
    enrol: async (enrolment: Enrolment) => {
      venueUnderTest.seen.push(enrolment)
      const verdict = await office.enrol(enrolment)
      venueUnderTest.beforeAnswer()
      return verdict
    },
  }
  const server = await startEnrolmentServer('127.0.0.1:0', files.tls, desk)
  editYaml(join(directory, 'coordinator.yaml'), { enrolAddress: `127.0.0.1:${server.port}` })
  const invite: TestVenue['invite'] = async (name, { expiresMs = HOUR_MS, ...party }) =>
    decodeInvite(await makeInvite(directory, name, { ...party, expiresMs }))
  const venueUnderTest: TestVenue = {
    directory,
    files,
    applications,
    certificates,
    seen: [],
    beforeAnswer: () => {},
    now: () => new Date(),
    invite,
    joinHolder: async (name, place, organisation = `${name} clinic`) =>
      joinHolder(await invite(name, { organisation }), place),
    joinResearcher: async (name, place) => joinResearcher(await invite(name, { researcher: true }), place),
    close: () => server.stop(),
  }
  return venueUnderTest
}

/** Changes fields of a YAML file. */
export function editYaml(file: string, changes: object): void {
  writeFileSync(file, stringify({ ...parse(readFileSync(file, 'utf8')), ...changes }))
}
