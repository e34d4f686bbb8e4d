import { z } from 'zod'

/** Wrong fields that are named; who has corrected them learns of the others. */
const ISSUES_MAX = 20
/** Whoever wrote the input wrote the names in it, too; the text ends in logs and in the status of a gRPC call. */
const CHARACTERS_MAX = 4000

/** What is wrong with an input, field by field, for whoever wrote it. At most about 4,000 characters, whatever the input. */
export function describeIssues({ issues }: z.ZodError): string {
  const text = z.prettifyError(new z.ZodError(issues.slice(0, ISSUES_MAX)))
  const cut = text.length > CHARACTERS_MAX ? `${text.slice(0, CHARACTERS_MAX)}…` : text
  return issues.length > ISSUES_MAX ? `${cut}\n… and ${issues.length - ISSUES_MAX} more` : cut
}
