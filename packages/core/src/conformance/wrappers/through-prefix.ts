import assert from 'node:assert/strict'
import type { BackendEvent, CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import type { Awaitable, Harness } from '../harness/harness.ts'
import { assertItem } from '../stage/assert-item.ts'

/** Means something to globs, LIKE, regular expressions and JSON paths. */
const prefix = '@/a%_*?[x]\\:'
/** Keys that a careless use of the prefix would take for its own. */
const strangers = ['', '@/', '@/ab*?x:', '@/a%_*?x\\:k', '@/aXYZ?[x]\\:k', 'k', 'a', '@/A%_*?[X]\\:k']

/**
 * The whole suite on a part of a store: under a prefix as a namespace of `Cache` has it, among items that do not belong to
 * it. After every rule they must all be there still.
 */
export function throughPrefix(harness: Harness): Harness {
  const view = async (opening: Awaitable<CacheBackend>): Promise<CacheBackend> => prefixed(await opening)
  const {
    openLimited,
    openMany,
    openInjected,
    break: _break,
    heal: _heal,
    freeze: _freeze,
    thaw: _thaw,
    ...rest
  } = harness
  const { corrupt, futureFormat } = harness
  return {
    ...rest,
    name: `${harness.name}, through a prefix`,
    open: async (means) => {
      const backend = await harness.open(means)
      // A rule may open a second store: each view is checked against the bystanders of its own.
      const own = strangers.map((key) => ({ key, value: `of ${key}`, version: createVersion(), createdAt: 1 }))
      for (const item of own) await backend.set(item)
      return guarded(prefixed(backend), backend, own)
    },
    ...(harness.openSecond && { openSecond: () => view(harness.openSecond?.() as CacheBackend) }),
    ...(harness.openOther && { openOther: () => view(harness.openOther?.() as CacheBackend) }),
    ...(harness.reopen && { reopen: () => view(harness.reopen?.() as CacheBackend) }),
    ...(corrupt && { corrupt: (key, damage) => corrupt.call(harness, prefix + key, damage) }),
    ...(futureFormat && { futureFormat: (key) => futureFormat.call(harness, prefix + key) }),
    without: { ...harness.without, ...whole },
  }
}

const ofTheWhole = 'it is a matter of the whole store, which the plain run shows'
const whole = {
  openLimited: ofTheWhole,
  openMany: ofTheWhole,
  openInjected: ofTheWhole,
  break: ofTheWhole,
  heal: ofTheWhole,
  freeze: ofTheWhole,
  thaw: ofTheWhole,
}

/** Before it closes the view, makes sure that nobody touched what lies outside of it. */
function guarded(view: CacheBackend, backend: CacheBackend, bystanders: readonly Item[]): CacheBackend {
  let checked: Promise<void> | undefined
  const check = async (): Promise<void> => {
    for (const item of bystanders) assertItem(await backend.get(item.key), item)
  }
  return {
    ...view,
    close: async () => {
      checked ??= check()
      await checked
      await backend.close?.()
    },
  }
}

/** A backend whose keys all begin with the prefix in the store. */
function prefixed(backend: CacheBackend): CacheBackend {
  const { getMany, setMany, deleteMany, compareAndSet, increment, keys, listen } = backend
  return {
    name: backend.name,
    get: async (key) => strip(await backend.get(prefix + key)),
    set: (item) => backend.set(extend(item)),
    delete: (key) => backend.delete(prefix + key),
    clear: (start = '') => backend.clear(prefix + start),
    ...(getMany && {
      getMany: async (names) =>
        (
          await getMany.call(
            backend,
            names.map((key) => prefix + key),
          )
        ).map(strip),
    }),
    ...(setMany && { setMany: (items) => setMany.call(backend, items.map(extend)) }),
    ...(deleteMany && {
      deleteMany: (names) =>
        deleteMany.call(
          backend,
          names.map((key) => prefix + key),
        ),
    }),
    ...(compareAndSet && {
      compareAndSet: (key, version, next) => compareAndSet.call(backend, prefix + key, version, next && extend(next)),
    }),
    ...(increment && { increment: (key, delta, end) => increment.call(backend, prefix + key, delta, end) }),
    ...(keys && { keys: (start = '') => stripAll(keys.call(backend, prefix + start)) }),
    ...(listen && { listen: (listener) => listen.call(backend, (event) => listener(stripEvent(event))) }),
    close: async () => backend.close?.(),
  }
}

function extend(item: Item): Item {
  return { ...item, key: prefix + item.key }
}

function strip(item: Item | undefined): Item | undefined {
  if (item === undefined) return undefined
  assert(item.key.startsWith(prefix), `the item of another key: ${item.key}`)
  return { ...item, key: item.key.slice(prefix.length) }
}

async function* stripAll(keys: AsyncIterable<string>): AsyncIterable<string> {
  for await (const key of keys) yield key.slice(prefix.length)
}

/** An error keeps its class and code; only the key in it is the one the suite knows. */
function stripEvent(event: BackendEvent): BackendEvent {
  if (event.type !== 'error' || event.error.key === undefined) return event
  const key = event.error.key.slice(prefix.length)
  return { type: 'error', error: Object.create(event.error, { key: { value: key } }) as typeof event.error }
}
