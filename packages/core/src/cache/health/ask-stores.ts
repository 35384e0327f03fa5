import type { CacheBackend } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Clock } from '../../protocol/clock.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import type { Failure, Failures } from './combine-parts.ts'

/** A key that no cache stores. A layered backend reads such a key from its authority. */
const probeKey = recordKey('!', '', 'health')

/** The answers that are under way. A store that hangs would otherwise collect one more call with each check. */
const asking = new WeakMap<CacheBackend, Promise<Failure | undefined>>()

/** Resolves after `timeout` at the latest to the failures of the stores that have not answered by then. */
export async function askStores(
  stores: readonly CacheBackend[],
  timeout: number,
  clock: Required<Clock>,
): Promise<Failures> {
  const late: Failure = { status: 'down', message: `no answer within ${timeout} ms` }
  const failures = new Map(stores.map((store) => [store, late]))
  let stop = (): void => {}
  const end = new Promise<void>((resolve) => {
    stop = clock.after(timeout, resolve, true)
  })
  let isOver = false
  const all = stores.map(async (store) => {
    const failure = await ask(store)
    // The map belongs to the caller by then.
    if (isOver) return
    if (failure === undefined) failures.delete(store)
    else failures.set(store, failure)
  })
  await Promise.race([Promise.all(all), end])
  isOver = true
  stop()
  return failures
}

function ask(store: CacheBackend): Promise<Failure | undefined> {
  const known = asking.get(store)
  if (known !== undefined) return known
  const answer = answerOf(store).finally(() => asking.delete(store))
  asking.set(store, answer)
  return answer
}

async function answerOf(store: CacheBackend): Promise<Failure | undefined> {
  try {
    await store.get(probeKey)
    return undefined
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const code = cacheErrorCode(error)
    return {
      // A full queue has calls before this one, which the store answers.
      status: code === 'QUEUE_FULL' ? 'degraded' : 'down',
      message: code === undefined ? message : `${code}: ${message}`,
    }
  }
}
