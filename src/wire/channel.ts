import type { ChannelOptions } from '@grpc/grpc-js'
import { keepalive, limits } from './limits.ts'

/**
 * Options of every client channel. Reconnecting is quick: a hospital's line drops, and comes back. The name in the TLS
 * handshake is the venue's, not the address: addresses change, and may be bare IPs, which RFC 6066 §3 forbids there.
 */
export function channelOptions(venue: string): ChannelOptions {
  return {
    'grpc.ssl_target_name_override': `coordinator.${venue}`,
    'grpc.max_receive_message_length': limits.messageBytes,
    'grpc.max_send_message_length': limits.messageBytes,
    'grpc.keepalive_time_ms': keepalive.timeMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5000,
    // The coordinator moves behind its name: half a minute of the old address is too long.
    'grpc.dns_min_time_between_resolutions_ms': 2000,
  }
}
