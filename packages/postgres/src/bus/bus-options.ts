import { checkOptions, type Duration } from '@cache/core/backend'
import {
  type ConnectionOptions,
  type ResolvedConnections,
  resolveConnections,
} from '../connections/connection-options.ts'
import { checkDuration, checkIdentifier, checkObject } from '../option-checks.ts'

export interface PostgresBusOptions
  extends Omit<ConnectionOptions, 'client' | 'pipeline' | 'maxConnections' | 'lockTimeout'> {
  /** The channel of LISTEN and NOTIFY. A bus receives the messages of its own channel only. Default `'cache'`. */
  readonly channel?: string | undefined
  /** The time between two checks of a listening connection. Default `'5s'`. */
  readonly heartbeat?: Duration | undefined
}

/** The options with their defaults filled in. */
export interface ResolvedBusOptions {
  readonly connections: ResolvedConnections
  readonly channel: string
  /** In milliseconds. */
  readonly heartbeat: number
}

const names = ['url', 'options', 'pool', 'prepare', 'connectTimeout', 'timeout', 'channel', 'heartbeat']

/** Checks the options of a bus and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveBusOptions(options: PostgresBusOptions): ResolvedBusOptions {
  const method = 'PostgresBus'
  checkOptions(checkObject(options, 'options', method), names, method)
  return {
    connections: resolveConnections(options, method),
    channel: checkIdentifier(options.channel ?? 'cache', 'channel', method),
    heartbeat: checkDuration(options.heartbeat ?? 5000, 'heartbeat', method),
  }
}
