import type { FuzzTarget } from './fuzz-target.ts'
import { cryptoTargets } from './targets/crypto-targets.ts'
import { learningTargets } from './targets/learning-targets.ts'
import { logTargets } from './targets/log-targets.ts'
import { protocolTargets } from './targets/protocol-targets.ts'
import { statementTargets } from './targets/statement-targets.ts'
import { wireTargets } from './targets/wire-targets.ts'

/** Every decoder of bytes from the network. */
export async function allTargets(): Promise<FuzzTarget[]> {
  return [
    ...wireTargets(),
    ...statementTargets(),
    ...(await protocolTargets()),
    ...(await cryptoTargets()),
    ...(await logTargets()),
    ...learningTargets(),
  ]
}
