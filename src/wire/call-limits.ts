import {
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from '@grpc/grpc-js'
import { toStatus } from './status.ts'
import { WireError } from './wire-error.ts'

/**
 * Lets an identity have `most` calls open at a time, over all its connections: whoever opens more connections has no more of
 * the coordinator. Who that is says the certificate that TLS has verified; whether it belongs here, each call decides.
 */
export function limitCalls(most: number): ServerInterceptor {
  /** Open calls by the names of the certificate. */
  const open = new Map<string, number>()
  return (_method, call) => {
    const identity = call.getAuthContext().sslPeerCertificate?.subjectaltname ?? ''
    const count = open.get(identity) ?? 0
    if (count >= most) return refuse(call, most)
    open.set(identity, count + 1)
    const release = once(() => {
      const left = open.get(identity)! - 1
      if (left > 0) open.set(identity, left)
      else open.delete(identity)
    })
    const listener = new ServerListenerBuilder().withOnCancel(release).build()
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendStatus((sent, next) => {
        release()
        next(sent)
      })
      .build()
    return new ServerInterceptingCall(call, responder)
  }
}

function refuse(call: Parameters<ServerInterceptor>[1], most: number): ServerInterceptingCall {
  // The call is not begun: nothing of it is read.
  const responder = new ResponderBuilder().withStart(() => {
    const refusal = new WireError(
      'too-many-calls',
      `This identity has ${most} calls open, over all its connections: wait until one has ended.`,
    )
    call.sendStatus({ code: status.RESOURCE_EXHAUSTED, details: '', ...toStatus(refusal) })
  })
  return new ServerInterceptingCall(call, responder.build())
}

function once(action: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    action()
  }
}
