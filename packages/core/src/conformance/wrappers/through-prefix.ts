import assert from 'node:assert/strict'
import { forwardCapabilities } from '../../backend-kit/forward-capabilities.ts'
import type { BackendEvent, CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import type { Awaitable, Harness } from '../harness/harness.ts'
import { assertItem } from '../stage/assert-item.ts'

/** Contains special characters of globs, LIKE, regular expressions and JSON paths. */
const prefix = '@/a%_*?[x]\\:'
/** Keys outside the prefix that an unescaped pattern would match. */
const strangers = ['', '@/', '@/ab*?x:', '@/a%_*?x\\:k', '@/aXYZ?[x]\\:k', 'k', 'a', '@/A%_*?[X]\\:k']

/**
 * A harness for the suite under a prefix like that of a `Cache` namespace, among items outside the prefix. After every rule all
 * of these items must still be there.
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
      // A rule may open a second store: each view has outside items of its own.
      const own = strangers.map((key) => ({ key, value: `of ${key}`, version: createVersion(), createdAt: 1 }))
      for (const item of own) await backend.set(item)
      return guarded(prefixed(backend), backend, own)
    },
    ...(harness.openSecond && { openSecond: () => view(harness.openSecond?.() as CacheBackend) }),
    ...(harness.openOther && { openOther: (relation) => view(harness.openOther?.(relation) as CacheBackend) }),
    ...(harness.reopen && { reopen: () => view(harness.reopen?.() as CacheBackend) }),
    ...(corrupt && { corrupt: (key, damage) => corrupt.call(harness, prefix + key, damage) }),
    ...(futureFormat && { futureFormat: (key) => futureFormat.call(harness, prefix + key) }),
    without: { ...harness.without, ...whole },
  }
}

const ofTheWhole = 'the rule concerns the whole store, and the run without a prefix covers it'
const whole = {
  openLimited: ofTheWhole,
  openMany: ofTheWhole,
  openInjected: ofTheWhole,
  break: ofTheWhole,
  heal: ofTheWhole,
  freeze: ofTheWhole,
  thaw: ofTheWhole,
}

/** Checks that the items outside the view are unchanged, before it closes the view. */
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

/** A view of the backend that adds the prefix to every key. */
function prefixed(backend: CacheBackend): CacheBackend {
  const view: CacheBackend = {
    name: backend.name,
    get: async (key) => strip(await backend.get(prefix + key)),
    set: (item) => backend.set(extend(item)),
    delete: (key) => backend.delete(prefix + key),
    clear: (start = '') => backend.clear(prefix + start),
  }
  forwardCapabilities(view, [backend], {
    getMany: (getMany) => async (names) => (await getMany(names.map((key) => prefix + key))).map(strip),
    setMany: (setMany) => (items) => setMany(items.map(extend)),
    deleteMany: (deleteMany) => (names) => deleteMany(names.map((key) => prefix + key)),
    compareAndSet: (compareAndSet) => (key, version, next) =>
      compareAndSet(prefix + key, version, next && extend(next)),
    increment: (increment) => (key, delta, end) => increment(prefix + key, delta, end),
    keys:
      (keys) =>
      (start = '') =>
        stripAll(keys(prefix + start)),
    stats: { absent: ofTheWhole },
    describe: (describe) => describe,
    listen: (listen) => (listener, types) => listen((event) => listener(stripEvent(event)), types),
    inTransaction: (inTransaction) => (transaction) => prefixed(inTransaction(transaction)),
    near: { absent: 'a tag record has its key at the start of the store, not under the prefix' },
    sync: { absent: 'the run through the synchronous interface covers it' },
    close: (close) => close,
  })
  return view
}

function extend(item: Item): Item {
  return { ...item, key: prefix + item.key }
}

function strip(item: Item | undefined): Item | undefined {
  if (item === undefined) return undefined
  assert(item.key.startsWith(prefix), `get returned the item of another key: ${item.key}`)
  return { ...item, key: item.key.slice(prefix.length) }
}

async function* stripAll(keys: AsyncIterable<string>): AsyncIterable<string> {
  for await (const key of keys) yield key.slice(prefix.length)
}

/** The event with the key as the suite knows it. The error keeps its class and code. */
function stripEvent(event: BackendEvent): BackendEvent {
  if (event.type !== 'error' || event.error.key === undefined) return event
  const key = event.error.key.slice(prefix.length)
  return { type: 'error', error: Object.create(event.error, { key: { value: key } }) as typeof event.error }
}
