import { CloseDeadline } from '../backend-kit/close-deadline.ts'
import { promiseOf } from '../backend-kit/maybe-promise.ts'
import { removeUser } from '../backend-kit/shared-ownership.ts'
import type { CacheBackend } from '../protocol/backend.ts'
import type { BackendEvents } from './items/backend-events.ts'
import type { Namespace } from './items/namespace.ts'
import type { CacheState } from './state/cache-state.ts'

/** Milliseconds that the `close` of a backend may take. Composite backends end within ten seconds, and know which part hangs. */
const longestClose = 15_000

/** Closes a cache that is no namespace. A part that hangs or fails does not keep the others open; its error rejects at the end. */
export async function closeCache(namespace: Namespace, events: BackendEvents): Promise<void> {
  const { state, writer } = namespace
  state.close()
  for (const flight of state.running) state.shared.flights.drop(flight)
  for (const lease of state.leases) lease.close()
  writer?.end()
  const hanging = await settle(state)
  try {
    await writer?.close()
  } finally {
    // Also if the database did not accept the waiting changes: the backend must not stay open for them.
    await leave(state).finally(() => events.close())
  }
  if (hanging !== undefined) throw state.failed(hanging, 'close')
}

/** Waits for the calls in flight. Resolves to an error if one of them hangs. */
async function settle(state: CacheState): Promise<unknown> {
  const deadline = new CloseDeadline(state.backend.name, state.settings.clock)
  return await deadline.wait('a call in flight', state.settled()).catch((error: unknown) => error)
}

/** The last user of a backend, a cache or a composite, closes it (RACES R36). */
async function leave(state: CacheState): Promise<void> {
  const backend = state.backend as CacheBackend
  if (!removeUser(backend)) return
  const deadline = new CloseDeadline(backend.name, state.settings.clock, longestClose)
  try {
    await deadline.wait(
      'the backend',
      promiseOf(async () => await backend.close?.()),
    )
  } catch (error) {
    throw state.failed(error, 'close')
  }
}
