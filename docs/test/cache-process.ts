/**
 * A cache in a process of its own, for `two-processes.test.ts`: does what its parent says, one message for each step,
 * so that the parent orders the steps of several processes.
 */
import { appendFileSync } from 'node:fs'
import { Cache, type CacheBackend, type CacheOptions, type LoadContext, type WriterEntry } from '@cache/core'
import { FileBackend } from '@cache/file'
import { PostgresBackend } from '@cache/postgres'
import { RedisBackend } from '@cache/redis'

/** What the parent may say. */
export type Order =
  | { readonly do: 'open'; readonly store: Store; readonly options?: Partial<CacheOptions> }
  | { readonly do: 'openBehind'; readonly journal: string; readonly database: string }
  | { readonly do: 'call'; readonly method: string; readonly args: readonly unknown[]; readonly times: number }
  | { readonly do: 'load'; readonly key: string; readonly tags: readonly string[] }
  | { readonly do: 'lock'; readonly key: string; readonly ttl: number }
  | { readonly do: 'write'; readonly first: number; readonly keys: number }
  | { readonly do: 'close' }

/** Where the items are. */
export type Store =
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly prefix: string }
  | { readonly kind: 'file'; readonly dir: string }

/** What the process says. */
export type Report =
  | { readonly says: 'done'; readonly id: number; readonly value: unknown }
  | { readonly says: 'failed'; readonly id: number; readonly error: string }
  /** A load began, or the lock is held; waits for a `go`. */
  | { readonly says: 'inside'; readonly id: number; readonly token?: number }
  /** A write is about to be made; later, that it was acknowledged. */
  | { readonly says: 'begin' | 'acknowledged'; readonly sequence: number }

let cache: Cache | undefined
const waiting = new Map<number, (value: unknown) => void>()

function opened(): Cache {
  if (cache === undefined) throw new Error('not open')
  return cache
}

function backendOf(store: Store): CacheBackend {
  if (store.kind === 'redis') return new RedisBackend({ url: store.url, prefix: store.prefix })
  if (store.kind === 'postgres') return new PostgresBackend({ url: store.url, prefix: store.prefix })
  return new FileBackend({ dir: store.dir })
}

/** A database that is a file of lines: the last line of a key counts. */
function databaseIn(path: string): {
  write(entries: readonly WriterEntry[]): void
  delete(keys: readonly string[]): void
} {
  const append = (rows: readonly unknown[]): void =>
    appendFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return {
    write: (entries) => append(entries.map(({ key, value }) => ({ key, value }))),
    delete: (keys) => append(keys.map((key) => ({ key }))),
  }
}

/** Resolves once the message has left this process: a kill after that cannot take it back. */
function say(report: Report): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(report, () => resolve())
  })
}

/** Tells the parent that this step has come to its middle, and waits for its word. */
async function inside(id: number, token?: number): Promise<unknown> {
  const go = new Promise<unknown>((resolve) => waiting.set(id, resolve))
  await say(token === undefined ? { says: 'inside', id } : { says: 'inside', id, token })
  return await go
}

async function write({ first, keys }: Order & { readonly do: 'write' }): Promise<never> {
  for (let sequence = first; ; sequence += 1) {
    await say({ says: 'begin', sequence })
    const key = `k${sequence % keys}`
    if (sequence % 7 === 0) await opened().delete(key)
    else await opened().set(key, sequence)
    await say({ says: 'acknowledged', sequence })
  }
}

async function obey(id: number, order: Order): Promise<unknown> {
  switch (order.do) {
    case 'open':
      await cache?.close()
      cache = new Cache({ backend: backendOf(order.store), ttl: '1h', ...order.options })
      return undefined
    case 'openBehind': {
      const { MemoryBackend } = await import('@cache/memory')
      cache = new Cache({
        backend: new MemoryBackend({ maxEntries: 1000 }),
        writer: databaseIn(order.database),
        writeMode: 'behind',
        writeBehind: { journal: new FileBackend({ dir: order.journal, policy: 'none' }), delay: 2, batchSize: 5 },
      })
      return undefined
    }
    case 'call': {
      const call = async (): Promise<unknown> => {
        if (order.method === 'addOne') return await opened().update<number>(String(order.args[0]), (n) => (n ?? 0) + 1)
        return await (opened() as unknown as Record<string, (...args: unknown[]) => unknown>)[order.method]?.(
          ...order.args,
        )
      }
      return await Promise.all(Array.from({ length: order.times }, call))
    }
    case 'load':
      // The one parameter says that this loader may name tags.
      return await opened().getOrSet(order.key, async (_: LoadContext) => await inside(id), { tags: order.tags })
    case 'lock':
      return await opened().withLock(order.key, async ({ token }) => await inside(id, token), {
        ttl: order.ttl,
        wait: '1m',
      })
    case 'write':
      return await write(order)
    case 'close':
      await cache?.close()
      return undefined
  }
}

process.on('message', (message: { readonly id: number; readonly order?: Order; readonly go?: unknown }) => {
  const { id, order } = message
  if (order === undefined) {
    waiting.get(id)?.(message.go)
    waiting.delete(id)
    return
  }
  obey(id, order).then(
    (value) => say({ says: 'done', id, value }),
    (error: unknown) => say({ says: 'failed', id, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
