import type { HandlerState } from './handler-state.ts'
import type { UseCacheEntry, UseCacheHandler } from './next-types.ts'
import type { TaggedEntry } from './tag-marks.ts'

/** An entry of `'use cache'` as it is stored. */
interface StoredEntry extends TaggedEntry {
  readonly bytes: Uint8Array
  readonly stale: number
  readonly timestamp: number
  readonly expire: number
  readonly revalidate: number
}

/** The methods for `cacheHandlers` of Next. */
export function entryHandler(state: () => HandlerState): UseCacheHandler {
  const keyOf = (key: string): string => `${state().settings.prefix}:use:${key}`
  return {
    async get(key, softTags) {
      const found = await state().read<StoredEntry>(keyOf(key), softTags)
      if (found === undefined) return undefined
      const { bytes, tags, stale, timestamp, expire, revalidate } = found.entry
      return {
        value: streamOf(bytes),
        tags: [...tags],
        stale,
        timestamp,
        expire,
        // Next serves such an entry, and makes a new one in the background.
        revalidate: found.state === 'stale' ? -1 : revalidate,
      }
    },

    async set(key, pendingEntry) {
      await state().write(keyOf(key), async () => {
        const entry = await settledEntry(pendingEntry)
        if (entry === undefined) return undefined
        const { value: bytes, tags, stale, timestamp, expire, revalidate } = entry
        const lifetime = timestamp + expire * 1000 - state().now()
        const size = bytes.byteLength
        return { bytes, tags: [...tags], stale, timestamp, expire, revalidate, madeAt: timestamp, lifetime, size }
      })
    },

    // Invalidations are read with each entry: from copies in this process if the cache has a near layer.
    async refreshTags() {},

    // Next passes the tags of the route to `get`, which compares them.
    async getExpiration() {
      return Number.POSITIVE_INFINITY
    },

    async updateTags(tags, durations) {
      await state().invalidate(tags, durations)
    },
  }
}

/** The entry with its bytes, or `undefined` where its render failed: a part of a result is not kept. */
async function settledEntry(
  pending: Promise<UseCacheEntry>,
): Promise<(Omit<UseCacheEntry, 'value'> & { value: Uint8Array }) | undefined> {
  try {
    const entry = await pending
    const chunks: Uint8Array[] = []
    for await (const chunk of entry.value) chunks.push(chunk)
    return { ...entry, value: new Uint8Array(Buffer.concat(chunks)) }
  } catch {
    // Next reports the failure of the render.
    return undefined
  }
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      // A copy: the reader may detach or change the memory, and the bytes may be those of a store of references.
      if (bytes.byteLength > 0) controller.enqueue(new Uint8Array(bytes))
      controller.close()
    },
  })
}
