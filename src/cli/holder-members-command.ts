import { type Command, Option } from 'commander'

const directoryOption = () =>
  new Option('-d, --directory <path>', 'where holder.yaml lies').env('SLUICE_DIRECTORY').default('.')

/** Digits of a request's digest that people compare: 80 bits. */
const FINGERPRINT_DIGITS = 20

/** `sluice holder members` and `sluice holder approve`: who the members are, and who this holder wants as one. */
export function addHolderMembersCommands(holder: Command): void {
  holder
    .command('members')
    .description('show the venue’s members as this node has verified them, and who waits for your approval')
    .addOption(directoryOption())
    .option('--json', 'print one JSON object')
    .action(async ({ directory, json }) => {
      const { keyFingerprint, listPendingRequests, readRegistryFile } = await import(
        '../../nodes/holder/admission-requests.ts'
      )
      const registry = readRegistryFile(directory)
      const pending = listPendingRequests(directory)
      if (json) return console.log(JSON.stringify({ registry: registry ?? null, pending }))
      if (registry) {
        console.log(`${registry.venue}, registry ${registry.sequence}, fingerprint ${shorten(registry.head)}`)
        for (const { holder: name, organisation, statementKey } of registry.members) {
          console.log(`  ${name}: ${organisation}, key ${shorten(keyFingerprint(statementKey))}`)
        }
      } else console.log('This node has seen no registry yet: start it.')
      for (const request of pending) console.log(describeRequest(request, directory))
      if (pending.length === 0) console.log('Nothing waits for your approval.')
    })

  holder
    .command('approve <name> <fingerprint>')
    .description('approve what "holder members" shows; compare the fingerprint with the applicant first')
    .addOption(directoryOption())
    .action(async (name: string, fingerprint: string, { directory }) => {
      const { approvePendingRequest } = await import('../../nodes/holder/admission-requests.ts')
      const { change, organisation } = approvePendingRequest(directory, name, fingerprint)
      console.log(`Approved the ${change} of ${name} (${organisation}): the node signs when it is asked again.`)
    })
}

interface ShownRequest {
  readonly change: string
  readonly holder: string
  readonly organisation: string
  readonly statementKeyFingerprint: string
  readonly boxKeyFingerprint: string
  readonly reason?: string
  readonly request: string
}

function describeRequest(request: ShownRequest, directory: string): string {
  const { change, holder, organisation, reason } = request
  const where = directory === '.' ? '' : ` --directory ${directory}`
  return [
    `Waits for your approval: ${change} of ${holder}, ${organisation}${reason ? `: ${reason}` : ''}`,
    `  statement key ${shorten(request.statementKeyFingerprint)}, box key ${shorten(request.boxKeyFingerprint)}`,
    `  sluice holder approve ${holder} ${shorten(request.request)}${where}`,
  ].join('\n')
}

function shorten(digest: string): string {
  return digest.slice(0, FINGERPRINT_DIGITS)
}
