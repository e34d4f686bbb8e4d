import type { Finding } from '../protocol/audit-findings.ts'
import type { StatementsVerdict, WholeLog } from './audit-log.ts'

/** An audit of a log, for people: a line a subject. */
export function describeAudit({ checkpoint, cosigners, payloads, statements }: WholeLog): string[] {
  const root = Buffer.from(checkpoint.root).toString('base64')
  const lines = [`The log ${checkpoint.origin} is whole: ${count(checkpoint.size, 'entry', 'entries')}, root ${root}.`]
  for (const { name, cosignedAtS } of cosigners) {
    lines.push(`  cosigned by ${name} at ${new Date(cosignedAtS * 1000).toISOString()}`)
  }
  const { detached, missing } = payloads
  if (detached > 0) {
    lines.push(`  ${count(detached, 'large statement', 'large statements')} by digest, ${missing} of them not here`)
  }
  return statements ? [...lines, ...describeStatements(statements)] : lines
}

function describeStatements({ findings, summary, cosigningOrganisations }: StatementsVerdict): string[] {
  const { members, organisations, jobs, rounds, sumsWithAllHashes, exclusions, setAside } = summary
  const faults = findings.filter(({ severity }) => severity === 'fault')
  const remarks = findings.filter(({ severity }) => severity === 'remark')
  const lines = [
    faults.length === 0
      ? 'What it says is in order.'
      : `What it says is not in order: ${count(faults.length, 'fault', 'faults')}.`,
    `  ${count(members.length, 'member', 'members')} of ${count(organisations, 'organisation', 'organisations')}`,
  ]
  if (cosigningOrganisations) {
    lines.push(`  members of ${cosigningOrganisations.length} of them have cosigned this checkpoint`)
  }
  lines.push(
    `  ${count(jobs, 'job', 'jobs')}; rounds: ${rounds.published} published, ${rounds.abandoned} abandoned, ${rounds.open} open`,
    `  ${sumsWithAllHashes} of ${count(rounds.published, 'sum', 'sums')} with the signed hashes of all contributors`,
  )
  for (const { plan, holder, members: others } of exclusions) {
    const against = others.length > 0 ? `, which did not agree with ${others.join(', ')}` : ''
    lines.push(`  plan ${plan.slice(0, 12)}: left out ${holder}${against}`)
  }
  for (const { plan, member } of setAside) lines.push(`  plan ${plan.slice(0, 12)}: set aside the checks of ${member}`)
  return [...lines, ...remarks.map((remark) => `  remark: ${describeFinding(remark)}`)]
}

/** One line: where, about which plan, what, why. */
export function describeFinding({ position, plan, code, reason }: Finding): string {
  const about = plan ? `, plan ${plan.slice(0, 12)}` : ''
  return `entry ${position}${about}: ${printable(reason)} (${code})`
}

/** Without what would steer a terminal: a statement quotes whom it likes. */
function printable(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?')
}

export function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`
}
