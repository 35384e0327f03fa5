import { forwardCapabilities } from '../../backend-kit/forward-capabilities.ts'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Awaitable, Harness } from '../harness/harness.ts'

/**
 * A harness for the suite through two handles: each call uses the other handle than the call before. A handle that answers
 * from memory of its own, instead of the shared data, fails. The harness needs `openSecond`.
 */
export function throughTwoHandles(harness: Harness): Harness {
  if (harness.openSecond === undefined) throw new Error(`the harness of ${harness.name} has no 'openSecond'`)
  const pair = async (opening: Awaitable<CacheBackend>): Promise<CacheBackend> => {
    const first = await opening
    return alternating(first, (await harness.openSecond?.()) as CacheBackend)
  }
  const { openLimited, openInjected, openMany, ...rest } = harness
  return {
    ...rest,
    name: `${harness.name}, through two handles`,
    open: (means) => pair(harness.open(means)),
    openSecond: () => pair(harness.openSecond?.() as CacheBackend),
    ...(harness.reopen && { reopen: () => pair(harness.reopen?.() as CacheBackend) }),
    without: { ...harness.without, ...oneHandle },
  }
}

const oneHandle = {
  openLimited: 'the run through one handle covers limits',
  openInjected: 'the run through one handle covers clients of the application',
  openMany: 'the run through one handle covers it',
}

/** A backend that passes its calls to two handles in turn. */
function alternating(first: CacheBackend, second: CacheBackend): CacheBackend {
  let calls = 0
  const next = (): CacheBackend => {
    calls += 1
    return calls % 2 ? first : second
  }
  const pair: CacheBackend = {
    name: first.name,
    get: (key) => next().get(key),
    set: (item) => next().set(item),
    delete: (key) => next().delete(key),
    clear: (prefix) => next().clear(prefix),
  }
  // From the first handle alone: a member that only one of them has must fail, not disappear.
  forwardCapabilities(pair, [first], {
    getMany: () => (keys) => having(next(), 'getMany').getMany(keys),
    setMany: () => (items) => having(next(), 'setMany').setMany(items),
    deleteMany: () => (keys) => having(next(), 'deleteMany').deleteMany(keys),
    compareAndSet: () => (key, version, item) => having(next(), 'compareAndSet').compareAndSet(key, version, item),
    increment: () => (key, delta, end) => having(next(), 'increment').increment(key, delta, end),
    keys: () => (prefix) => having(next(), 'keys').keys(prefix),
    stats: { absent: 'each handle counts its own removals; the run through one handle covers it' },
    describe: (describe) => describe,
    listen: () => (listener, types) => listenToBoth(first, second, listener, types),
    inTransaction: () => (transaction) => having(next(), 'inTransaction').inTransaction(transaction),
    near: { absent: 'a near copy in one handle may be older than a change through the other' },
    sync: { absent: 'a backend with two handles has more than one writer' },
    close: () => async () => {
      await Promise.all([first.close?.(), second.close?.()])
    },
  })
  return pair
}

type Listen = NonNullable<CacheBackend['listen']>

function listenToBoth(first: CacheBackend, second: CacheBackend, ...given: Parameters<Listen>): () => void {
  const stops = [first.listen?.(...given), second.listen?.(...given)]
  return () => {
    for (const stop of stops) stop?.()
  }
}

/** The handle, typed with a member that both handles must have. */
function having<M extends keyof CacheBackend>(backend: CacheBackend, member: M): Required<Pick<CacheBackend, M>> {
  if (backend[member] === undefined) throw new Error(`only one of the handles has '${member}'`)
  return backend as unknown as Required<Pick<CacheBackend, M>>
}
