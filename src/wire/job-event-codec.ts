import type { JobEvent, JobState, RoundDurations, StoredJobEvent } from '../coordinator/ports.ts'
import type { FederatedEvaluation } from '../learning/evaluation-vector.ts'
import type { Evaluation__Output } from './generated/sluice/v1/Evaluation.ts'
import type { JobEvent__Output, JobEvent as ProtoJobEvent } from './generated/sluice/v1/JobEvent.ts'
import type { RoundPublishedEvent__Output } from './generated/sluice/v1/RoundPublishedEvent.ts'
import { WireError } from './wire-error.ts'

export function jobEventToWire({ sequence, at, event }: StoredJobEvent): ProtoJobEvent {
  return { sequence, at: at.toISOString(), ...eventBody(event) }
}

function eventBody(event: JobEvent): ProtoJobEvent {
  switch (event.kind) {
    case 'job-state':
      return { jobState: { state: event.state, reason: event.reason ?? '' } }
    case 'round-planned':
      return { roundPlanned: { round: event.round, step: event.step, holders: [...event.holders] } }
    case 'round-abandoned':
      return { roundAbandoned: { round: event.round, step: event.step, reason: event.reason } }
    case 'holder-refused': {
      const { round, holder, code, reason } = event
      return { holderRefused: { round, holder, code, reason } }
    }
    case 'round-published': {
      const { kind: _, contributors, evaluation, ...rest } = event
      return { roundPublished: { ...rest, contributors: [...contributors], evaluation: evaluation ?? null } }
    }
  }
}

export function jobEventFromWire(message: JobEvent__Output): StoredJobEvent {
  const at = new Date(message.at)
  if (Number.isNaN(at.getTime())) throw malformed('an event has no instant')
  return { sequence: Number(message.sequence), at, event: bodyFromWire(message) }
}

function malformed(what: string): WireError {
  return new WireError('malformed-message', `Malformed message: ${what}.`)
}

function bodyFromWire(message: JobEvent__Output): JobEvent {
  switch (message.event) {
    case 'jobState': {
      const { state, reason } = message.jobState!
      return { kind: 'job-state', state: state as JobState, ...(reason ? { reason } : {}) }
    }
    case 'roundPlanned':
      return { kind: 'round-planned', ...message.roundPlanned! }
    case 'roundAbandoned':
      return { kind: 'round-abandoned', ...message.roundAbandoned! }
    case 'holderRefused':
      return { kind: 'holder-refused', ...message.holderRefused! }
    case 'roundPublished':
      return roundPublished(message.roundPublished!)
    default:
      throw new WireError('malformed-message', 'An event is of no kind that this version knows: update this client.')
  }
}

function roundPublished(message: RoundPublishedEvent__Output): JobEvent {
  if (!message.durations) throw malformed('a published round has no durations')
  return {
    kind: 'round-published',
    round: message.round,
    step: message.step,
    contributors: message.contributors,
    ciphertextBytes: Number(message.ciphertextBytes),
    statementBytes: Number(message.statementBytes),
    durations: message.durations satisfies RoundDurations,
    ...(message.evaluation ? { evaluation: evaluationFromWire(message.evaluation) } : {}),
    ...(message.modelVersion === undefined ? {} : { modelVersion: message.modelVersion }),
  }
}

function evaluationFromWire({ exampleCount, meanLoss, accuracy, auc }: Evaluation__Output): FederatedEvaluation {
  if (!accuracy) throw malformed('an evaluation has no accuracy')
  return { exampleCount: Number(exampleCount), meanLoss, accuracy, auc: auc ?? null }
}
