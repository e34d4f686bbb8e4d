import type { ChannelOptions } from '@grpc/grpc-js'
import { keepalive, limits } from './limits.ts'

/** Options of every client channel. Reconnecting is quick: a hospital's line drops, and comes back. */
export const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': limits.messageBytes,
  'grpc.max_send_message_length': limits.messageBytes,
  'grpc.keepalive_time_ms': keepalive.timeMs,
  'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 5000,
}
