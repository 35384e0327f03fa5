import type { BackendEvent } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'

/** Whether one of the events is an error of code `DAMAGED` that names the key. */
export function reportsDamage(events: readonly BackendEvent[], key: string): boolean {
  return events.some((event) => {
    return event.type === 'error' && cacheErrorCode(event.error) === 'DAMAGED' && event.error.key === key
  })
}
