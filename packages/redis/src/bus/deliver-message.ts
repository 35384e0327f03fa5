import { CacheError, decodeBusMessage, type SourceEvents } from '@cache/core/backend'

/** Caches send no longer messages. */
const mostBytes = 64 * 1024 * 1024

/**
 * Decodes a message for the listeners. An unreadable message may announce any change: it becomes an error and a change
 * of every key.
 */
export function deliverMessage(payload: Buffer, events: SourceEvents): void {
  // A longer payload may not fit into a string, and decoding it would take many times as much memory.
  const message = payload.length > mostBytes ? undefined : decodeBusMessage(payload.toString('utf8'))
  if (message !== undefined) {
    events.message(message)
    return
  }
  events.error(
    new CacheError('DAMAGED', 'A message on the channel could not be read', {
      operation: 'subscribe',
      backend: 'redis',
    }),
  )
  events.message({ kind: 'foreign', source: 'unreadable' })
}
