import { type CacheBackend, cacheErrorCode } from '@cache/core/backend'
import { waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import { describe, expect, inject, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions, PostgresBus } from '../src/index.ts'
import { item } from './items.ts'
import { type Lie, lyingPool, type SentQuery } from './lying-pool.ts'
import { tableName } from './table-name.ts'

const url = inject('postgresUrl')

/** Milliseconds of a call. Calls that must succeed are repeated until they do. */
const timeout = 400
/** Milliseconds after which a call counts as hanging. */
const patience = 20_000

const rows =
  (make: (query: SentQuery) => unknown): Lie =>
  (query) =>
    query.answer(null, { command: 'SELECT', rows: make(query) })

const columns =
  (column: unknown, count = 1): Lie =>
  (query) =>
    rows(() => Array.from({ length: count }, () => Array(query.columns).fill(column)))(query)

const failure =
  (code: string): Lie =>
  ({ answer }) =>
    answer(Object.assign(new Error('refused'), { code, severity: 'ERROR' }))

const lies: Readonly<Record<string, Lie>> = {
  'no reply': () => {},
  'no result': ({ answer }) => answer(null),
  'null as result': ({ answer }) => answer(null, null),
  'a result without rows': ({ answer }) => answer(null, {}),
  'a result without an end': ({ answer }) => answer(null, { command: null, rows: [] }),
  'text as rows': rows(() => 'rows'),
  'an object as rows': rows(() => ({ length: 1 })),
  'no row': rows(() => []),
  'null as row': rows(() => [null]),
  'objects as rows': rows(() => [{ key: 'k', value: 'v' }]),
  'a row without columns': rows(() => [[]]),
  'a row with a column less': rows(({ columns: count }) => [Array(Math.max(0, count - 1)).fill('1')]),
  'a row with a column more': rows(({ columns: count }) => [Array(count + 1).fill('1')]),
  'absent columns': columns(undefined),
  'columns of null': columns(null),
  'numbers as columns': columns(7),
  'objects as columns': columns({}),
  'empty texts': columns(''),
  'texts that are no numbers': columns('x'),
  NaN: columns('NaN'),
  Infinity: columns('Infinity'),
  'a negative number': columns('-5'),
  'a fraction': columns('0.5'),
  'a number that is not exact': columns('99999999999999999999'),
  'a large number': columns('5000'),
  'the largest number': columns('9007199254740991'),
  'true in all columns': columns('true'),
  'bytes in all columns': columns(Buffer.from([0, 1, 255])),
  'two equal rows': columns('1', 2),
  'a thousand equal rows': columns('k', 1000),
  'five thousand equal rows': columns('5000', 5000),
  'a row with the key in all columns': (query) =>
    rows(() => [Array(query.columns).fill(String(query.values.find((value) => typeof value === 'string') ?? 'k'))])(
      query,
    ),
  'a conflict': failure('40001'),
  'a deadlock': failure('40P01'),
  'a locked row': failure('55P03'),
  'a lost statement': failure('26000'),
  'a failed transaction': failure('25P02'),
  'a text as error': ({ answer }) => answer('broken'),
  'an object as error': ({ answer }) => answer({}),
  'two results': ({ answer, columns: count }) => {
    answer(null, { command: 'SELECT', rows: [Array(count).fill('1')] })
    answer(null, { command: 'SELECT', rows: [] })
  },
  'a result and an error': ({ answer }) => {
    answer(null, { command: 'SELECT', rows: [] })
    answer(new Error('late'))
  },
  'an error thrown at once': () => {
    throw new Error('thrown')
  },
}

/** The same lie in a later turn of the event loop. */
function later(lie: Lie): Lie {
  return (query) => {
    setImmediate(() => {
      try {
        lie(query)
      } catch {
        // Then the reply never comes.
      }
    })
  }
}

async function within<Result>(what: string, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs`)), patience)
  })
  return await Promise.race([work, hang]).finally(() => clearTimeout(timer))
}

async function walk(backend: CacheBackend): Promise<void> {
  let found = 0
  for await (const _ of backend.keys?.() ?? []) {
    found += 1
    if (found > 10_000) return
  }
}

function calls(backend: PostgresBackend): Readonly<Record<string, () => Promise<unknown>>> {
  return {
    get: () => backend.get('k'),
    'get of several keys': () => Promise.all(['a', 'b'].map((key) => backend.get(key))),
    getMany: () => backend.getMany(['k', 'l', 'k']),
    set: () => backend.set(item('k', 1)),
    setMany: () => backend.setMany([item('k', 1), item('l', 2)]),
    'set of an expired item': () => backend.set(item('k', 1, { expiresAt: 1 })),
    delete: () => backend.delete('k'),
    deleteMany: () => backend.deleteMany(['k', 'l']),
    'compareAndSet of an absent key': () => backend.compareAndSet('k', undefined, item('k', 1)),
    'compareAndSet that expects absence': () => backend.compareAndSet('k', undefined, undefined),
    'compareAndSet of a version': () => backend.compareAndSet('k', 'v', item('k', 1)),
    'compareAndSet that removes': () => backend.compareAndSet('k', 'v', undefined),
    increment: () => backend.increment('n', 1),
    'increment of several keys': () => Promise.all(['n', 'm'].map((key) => backend.increment(key, 1))),
    clear: () => backend.clear(),
    'clear of a prefix': () => backend.clear('k'),
    keys: () => walk(backend),
    stats: () => backend.stats(),
    removeExpired: () => backend.removeExpired(),
  }
}

async function settle(backend: PostgresBackend): Promise<void> {
  const all = Object.entries(calls(backend)).map(async ([name, call]) => {
    const outcome = await within(
      name,
      call().then(
        () => 'resolved',
        (error: unknown) => cacheErrorCode(error) ?? error,
      ),
    )
    // A failure of another kind would be a fault of the package.
    expect([name, typeof outcome]).toEqual([name, 'string'])
  })
  await Promise.all(all)
}

/** Resolves to whether calls have correct results again. */
async function works(backend: PostgresBackend): Promise<boolean> {
  const one = item('works', Math.random())
  await backend.delete('works n')
  await backend.set(one)
  const [found, sum] = [await backend.get('works'), await backend.increment('works n', 2)]
  const isReplaced = await backend.compareAndSet('works', one.version, item('works', 0))
  return found?.value === one.value && sum === 2 && isReplaced && ((await backend.stats()).items ?? 0) >= 2
}

const kinds: readonly [string, Partial<PostgresBackendOptions>][] = [
  ['', {}],
  [' with encryption', { encryption: { keys: [new Uint8Array(32).fill(1)] } }],
]

describe.each(kinds)('a backend%s', (_, options) => {
  it.each(Object.entries(lies))(
    'settles all calls after %s, and works again afterwards',
    async (_name, lie) => {
      for (const told of [lie, later(lie)]) {
        const table = tableName()
        const { pool, tell, end } = lyingPool(url, table)
        const backend = new PostgresBackend({
          pool,
          table,
          timeout,
          maxEntries: 30,
          ...options,
        } as PostgresBackendOptions)
        let evictions = 0
        backend.listen(() => {
          evictions += 1
        }, ['evict'])
        await waitUntil('the table', () => works(backend))
        tell(told)
        await settle(backend)
        await settle(backend)
        tell(undefined)
        await waitUntil('the backend to work again', () => works(backend))
        // Limits that were learned from a lie would stay in force.
        await waitUntil('an eviction', async () => {
          await backend.setMany(Array.from({ length: 50 }, (_unused, n) => item(`k${n}`, n)))
          return evictions > 0
        })
        await within('close', backend.close())
        await end()
      }
    },
    120_000,
  )

  it.each(Object.entries(lies))(
    'closes during calls that get %s',
    async (_name, lie) => {
      for (const told of [lie, later(lie)]) {
        const table = tableName()
        const { pool, tell, end } = lyingPool(url, table)
        const backend = new PostgresBackend({ pool, table, timeout, maxBytes: 1, migrate: false, ...options } as never)
        tell(told)
        const settled = settle(backend)
        await within('close', backend.close())
        await settled
        await end()
      }
    },
    120_000,
  )
})

it.each(Object.entries(lies))(
  'the creation of the table settles after %s, and the next call repeats it',
  async (_, lie) => {
    for (const told of [lie, later(lie)]) {
      const table = tableName()
      const { pool, tell, end } = lyingPool(url, table)
      const backend = new PostgresBackend({ pool, table, timeout: 100 })
      tell(told)
      await within(
        'get',
        backend.get('k').catch(() => {}),
      )
      await within('close', backend.close())
      tell(undefined)
      const next = new PostgresBackend({ pool, table, timeout })
      await waitUntil('the backend to work', () => works(next))
      await next.close()
      await end()
    }
  },
  120_000,
)

it.each(Object.entries(lies))(
  'a bus settles all calls after %s, and works again afterwards',
  async (_, lie) => {
    for (const told of [lie, later(lie)]) {
      const { pool, tell, end } = lyingPool(url, tableName())
      const bus = new PostgresBus({ pool, channel: tableName(), timeout: 200 })
      const listener = { message() {}, connected() {}, disconnected() {} }
      tell(told)
      const outcomes = [bus.publish({ kind: 'foreign', source: 's' }), bus.subscribe(listener)]
      await within('the calls', Promise.allSettled(outcomes))
      tell(undefined)
      await waitUntil('the bus to publish', () => bus.publish({ kind: 'foreign', source: 's' }).then(() => true))
      await within('close', bus.close())
      await end()
    }
  },
  120_000,
)
