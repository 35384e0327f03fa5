import { type BackendStats, CacheError } from '../../../src/backend-kit/index.ts'
import type { CacheBackend, Item } from '../../../src/index.ts'
import type { BytesBackend } from '../bytes-backend.ts'
import { decodeItem, encodeItem } from '../item-bytes.ts'
import type { MapBackend } from '../map-backend.ts'
import { mapHarness } from '../map-harness.ts'
import type { Transaction } from '../transactional-backend.ts'
import { transactionalHarness } from '../transactional-harness.ts'
import { type Change, type Full, type Mutant, mutant } from './mutant.ts'

const writes = ['set', 'setMany', 'compareAndSet', 'increment', 'delete', 'deleteMany', 'clear'] as const
type Call = (...given: unknown[]) => Promise<unknown>

const isOutage = (error: unknown): boolean =>
  error instanceof CacheError && ['UNAVAILABLE', 'TIMEOUT'].includes(error.code)

function outageMutants(): Mutant[] {
  const mutants: Mutant[] = []
  for (const method of writes) {
    const change = (replay: (again: () => void, backend: BytesBackend, queue: (() => void)[]) => void): Change => {
      return (correct, backend) => {
        const queue: (() => void)[] = []
        const call = correct[method] as Call
        const changed: Record<string, unknown> = {
          [method]: (...given: unknown[]) =>
            call(...given).catch((error: unknown) => {
              if (isOutage(error)) replay(() => void call(...given).catch(() => {}), backend, queue)
              throw error
            }),
        }
        if (method !== 'increment') {
          changed.get = async (key: string) => {
            const found = await correct.get(key)
            for (const again of queue.splice(0)) again()
            return found
          }
        }
        return changed as Partial<Full>
      }
    }
    mutants.push(
      mutant(
        'outages',
        `sends ${method} again after 60 ms`,
        change((again) => setTimeout(again, 60).unref()),
      ),
    )
    if (method !== 'increment') {
      mutants.push(
        mutant(
          'outages',
          `sends ${method} again with the next read`,
          change((again, _, queue) => void queue.push(again)),
        ),
      )
    }
    mutants.push(
      mutant(
        'outages',
        `sends ${method} again twice when the store is back`,
        change((again, backend) => {
          const timer = setInterval(() => {
            if (backend.options.store.down || backend.options.store.frozen) return
            clearInterval(timer)
            again()
            again()
          }, 5).unref()
        }),
      ),
    )
    mutants.push(
      mutant('outages', `resolves ${method} while the store is unreachable`, (correct) => ({
        [method]: async (...given: unknown[]) =>
          (correct[method] as Call)(...given).catch((error: unknown) => {
            if (isOutage(error)) return method === 'deleteMany' || method === 'increment' ? 1 : true
            throw error
          }),
      })),
    )
  }
  const hangs =
    (isBad: (backend: BytesBackend) => boolean): Change =>
    (correct, backend) => ({
      close: async () => {
        while (isBad(backend)) await new Promise((resolve) => setTimeout(resolve, 10))
        await correct.close?.()
      },
    })
  mutants.push(
    mutant(
      'outages',
      'closes when the store is back',
      hangs(({ options }) => options.store.down),
    ),
  )
  mutants.push(
    mutant(
      'outages',
      'closes when the store runs again',
      hangs(({ options }) => options.store.frozen),
    ),
  )
  for (const method of ['get', 'getMany', 'set', 'setMany', 'increment'] as const) {
    mutants.push(
      mutant('outages', `sends one ${method} after the other while the store hangs`, (correct, backend) => {
        let last: Promise<unknown> = Promise.resolve()
        return {
          [method]: (...given: unknown[]) => {
            if (!backend.options.store.frozen && !backend.options.store.down) return (correct[method] as Call)(...given)
            const many = Array.isArray(given[0]) ? given[0].length : 25
            const own = last.then(async () => {
              await new Promise((resolve) => setTimeout(resolve, many))
              return (correct[method] as Call)(...given)
            })
            last = own.catch(() => {})
            return own
          },
        }
      }),
    )
    mutants.push(
      mutant('outages', `never settles ${method} in a second outage`, (correct, backend) => {
        let outages = 0
        let was = false
        return {
          [method]: (...given: unknown[]) => {
            const { down } = backend.options.store
            if (down && !was) outages += 1
            was = down
            return down && outages > 1 ? new Promise<never>(() => {}) : (correct[method] as Call)(...given)
          },
        }
      }),
    )
  }
  for (const ms of [600, 1500, 5000]) {
    mutants.push(
      mutant('outages', `keeps the process alive for ${ms} ms after close`, (correct) => ({
        close: async () => {
          setTimeout(() => {}, ms)
          await correct.close?.()
        },
      })),
    )
  }
  return mutants
}

function formatMutants(): Mutant[] {
  const mutants: Mutant[] = []
  const kinds: Readonly<Record<string, (bytes: Uint8Array | undefined) => boolean>> = {
    'of a later format': (bytes) => bytes?.[0] === 2,
    'that is damaged': (bytes) => bytes !== undefined && bytes[0] !== 2 && decodeItem('k', bytes) instanceof Error,
  }
  for (const [kind, is] of Object.entries(kinds)) {
    const isBad = (backend: BytesBackend, key: string): boolean => {
      return is(backend.options.store.entries.get(backend.prefix + key))
    }
    for (const method of [
      'get',
      'getMany',
      'set',
      'setMany',
      'compareAndSet',
      'delete',
      'deleteMany',
      'increment',
    ] as const) {
      const keysOf = (first: unknown): string[] => {
        return (Array.isArray(first) ? first : [first]).map((one) =>
          typeof one === 'string' ? one : (one as Item).key,
        )
      }
      const guarded = (name: string, answer: (keys: string[]) => unknown): Mutant =>
        mutant('formats', `${name} in ${method} of an item ${kind}`, (correct, backend) => ({
          [method]: async (...given: unknown[]) => {
            const keys = keysOf(given[0])
            return keys.some((key) => isBad(backend, key)) ? answer(keys) : (correct[method] as Call)(...given)
          },
        }))
      mutants.push(
        guarded('rejects', () => {
          throw new CacheError('BACKEND_FAILURE', `${method}: cannot read the item`)
        }),
      )
      const quiet: Readonly<Record<string, unknown>> = {
        set: undefined,
        setMany: undefined,
        compareAndSet: false,
        delete: false,
        deleteMany: 0,
        increment: 42,
      }
      if (method in quiet) mutants.push(guarded('does nothing', () => quiet[method]))
      if (method === 'getMany') mutants.push(guarded('loses the whole batch', (keys) => keys.map(() => undefined)))
    }
    mutants.push(
      mutant('formats', `ends an iteration at an item ${kind}`, (correct, backend) => ({
        keys: async function* (prefix) {
          const stored = await backend.options.store.request('keys', (entries) => [...entries.keys()])
          const bad = stored.findIndex((key) => is(backend.options.store.entries.get(key)))
          for await (const key of correct.keys(prefix)) {
            if (bad >= 0 && stored.indexOf(backend.prefix + key) > bad) return
            yield key
          }
        },
      })),
      mutant('formats', `clears all but an item ${kind}`, (_, backend) => ({
        clear: (prefix = '') =>
          backend.options.store.request('clear', (entries) => {
            for (const [key, bytes] of [...entries])
              if (key.startsWith(backend.prefix + prefix) && !is(bytes)) entries.delete(key)
          }),
      })),
    )
  }
  return mutants
}

const nearWrites = ['set', 'setMany', 'compareAndSet', 'increment', 'delete', 'deleteMany', 'clear'] as const

function nearMutants(): Mutant[] {
  const mutants: Mutant[] = []
  for (const forgets of [...nearWrites, 'expiry'] as const) {
    for (const fault of ['the near copies', 'the generation'] as const) {
      const wrap = (backend: MapBackend): CacheBackend => {
        const copies = new Map<string, Item>()
        let generation = 1
        const { get } = backend
        const changed: Record<string, unknown> = {
          get: async (key: string) => {
            const found = await get.call(backend, key)
            if (found) copies.set(key, found)
            else if (copies.delete(key)) generation += 1
            return found
          },
        }
        for (const method of nearWrites) {
          const call = backend[method] as Call
          changed[method] = async (...given: unknown[]) => {
            const answer = await call.apply(backend, given)
            if (fault === 'the near copies' && method === forgets) return answer
            copies.clear()
            if (method !== forgets) generation += 1
            return answer
          }
        }
        const copy = (key: string): Item | undefined => {
          const item = copies.get(key)
          const isOver = item?.expiresAt !== undefined && backend.sync.get(key) === undefined
          if (!isOver || forgets === 'expiry') return item
          copies.delete(key)
          generation += 1
          return undefined
        }
        const near = fault === 'the near copies' ? { get: copy } : { get: copy, generation: () => generation }
        return Object.assign(backend, changed, { near })
      }
      if (forgets === 'expiry' && fault === 'the generation') continue
      mutants.push({ kind: 'near', does: `keeps ${fault} at ${forgets}`, harness: () => mapHarness(wrap) })
    }
  }
  return mutants
}

function limitMutants(): Mutant[] {
  const mutants: Mutant[] = []
  for (const method of ['set', 'setMany', 'compareAndSet', 'increment'] as const) {
    mutants.push(
      mutant('limits', `knows no limit in ${method}`, (correct, backend) => ({
        [method]: async (...given: unknown[]) => {
          const view = backend as unknown as { evict(): void }
          const { evict } = Object.getPrototypeOf(backend) as typeof view
          view.evict = () => {}
          return (correct[method] as Call)(...given).finally(() => {
            view.evict = evict
          })
        },
      })),
      mutant('limits', `emits no evict event in ${method}`, (correct, backend) => {
        let isQuiet = false
        return {
          listen: (listener, types) =>
            backend.listen((event) => (event.type === 'evict' && isQuiet ? undefined : listener(event)), types),
          [method]: async (...given: unknown[]) => {
            isQuiet = true
            return (correct[method] as Call)(...given).finally(() => {
              isQuiet = false
            })
          },
        }
      }),
      mutant('limits', `counts two items for one in ${method}`, (correct) => {
        let extra = 0
        return {
          stats: async (): Promise<BackendStats> => {
            const stats = await correct.stats?.()
            return { ...stats, items: (stats?.items ?? 0) + extra }
          },
          [method]: async (...given: unknown[]) => {
            extra += 1
            return (correct[method] as Call)(...given)
          },
        }
      }),
      mutant('limits', `evicts another item at an overwrite in ${method}`, (correct, backend) => ({
        [method]: async (...given: unknown[]) => {
          const first = Array.isArray(given[0]) ? given[0][0] : given[0]
          const key = typeof first === 'string' ? first : ((first as Item | undefined)?.key ?? '')
          const { entries } = backend.options.store
          const isOver = backend.options.maxEntries !== undefined && entries.has(backend.prefix + key)
          const other = [...entries.keys()].find((one) => one !== backend.prefix + key)
          if (isOver && other) entries.delete(other)
          return (correct[method] as Call)(...given)
        },
      })),
    )
  }
  for (const method of ['delete', 'deleteMany', 'clear', 'compareAndSet'] as const) {
    mutants.push(
      mutant('limits', `counts an item that ${method} removed`, (correct) => {
        let extra = 0
        return {
          stats: async (): Promise<BackendStats> => {
            const stats = await correct.stats?.()
            return { ...stats, items: (stats?.items ?? 0) + extra }
          },
          [method]: async (...given: unknown[]) => {
            const before = (await correct.stats?.())?.items ?? 0
            const answer = await (correct[method] as Call)(...given)
            if (((await correct.stats?.())?.items ?? 0) < before) extra += 1
            return answer
          },
        }
      }),
      mutant('limits', `counts the bytes of an item that ${method} removed`, (correct) => {
        let extra = 0
        return {
          stats: async (): Promise<BackendStats> => {
            const stats = await correct.stats?.()
            return { ...stats, size: (stats?.size ?? 0) + extra }
          },
          [method]: async (...given: unknown[]) => {
            const before = (await correct.stats?.())?.size ?? 0
            const answer = await (correct[method] as Call)(...given)
            extra += Math.max(0, before - ((await correct.stats?.())?.size ?? 0))
            return answer
          },
        }
      }),
    )
  }
  for (const type of ['evict', 'expire', 'error'] as const) {
    mutants.push(
      mutant('limits', `passes on ${type} events to every listener`, (_, backend) => ({
        listen: (listener, types) => backend.listen(listener, types && [...types, type]),
      })),
    )
  }
  return mutants
}

const txCalls = [
  'get',
  'getMany',
  'set',
  'setMany',
  'delete',
  'deleteMany',
  'compareAndSet',
  'increment',
  'keys',
  'clear',
] as const

function transactionMutants(): Mutant[] {
  const mutants: Mutant[] = []
  const transactional = (does: string, change: (outer: Full, view: Full, transaction: Transaction) => object): void => {
    mutants.push({
      kind: 'transactions',
      does,
      harness: () =>
        transactionalHarness((backend) => {
          const honest = backend.inTransaction.bind(backend)
          const inTransaction = (given: unknown): CacheBackend => {
            const view = honest(given)
            return { ...view, ...change(backend as Full, view as Full, given as Transaction) }
          }
          return Object.assign(backend, { inTransaction })
        }),
    })
  }
  for (const method of txCalls) {
    transactional(`runs ${method} outside of the transaction`, (outer) => ({
      [method]: (...given: unknown[]) => (outer[method] as Call).apply(outer, given),
    }))
    if (method === 'get' || method === 'getMany' || method === 'keys') continue
    transactional(`runs ${method} inside and outside of the transaction`, (outer, view) => ({
      [method]: async (...given: unknown[]) => {
        const answer = await (view[method] as Call)(...given)
        await (outer[method] as Call).apply(outer, given).catch(() => {})
        return answer
      },
    }))
    transactional(`forgets ${method} at the commit`, (_, view, transaction) => ({
      [method]: async (...given: unknown[]) => {
        const before = new Set(transaction.changed)
        const answer = await (view[method] as Call)(...given)
        for (const key of transaction.changed) if (!before.has(key)) transaction.changed.delete(key)
        return answer
      },
    }))
    if (method === 'increment') continue
    transactional(`closes no key at ${method}`, (_, view, transaction) => ({
      [method]: async (...given: unknown[]) => {
        const answer = await (view[method] as Call)(...given)
        transaction.closed.clear()
        return answer
      },
    }))
  }
  return mutants
}

function handleMutants(): Mutant[] {
  const mutants: Mutant[] = []
  // What a process remembers of its own writes is gone after a restart.
  for (const method of ['set', 'setMany', 'compareAndSet'] as const) {
    const losses: Readonly<Record<string, (item: Item) => Item | undefined>> = {
      deadlines: ({ expiresAt: _, ...rest }) => rest,
      tags: ({ tags: _, ...rest }) => rest,
      costs: ({ cost: _, ...rest }) => rest,
      staleAt: ({ staleAt: _, ...rest }) => rest,
      placeholders: (item) => (item.value === undefined ? undefined : item),
      'falsy values': (item) => (item.value ? item : undefined),
      'special keys': (item) => (/[\0\n'"\\]/.test(item.key) ? undefined : item),
    }
    for (const [what, lose] of Object.entries(losses)) {
      mutants.push(
        mutant('restarts', `loses ${what} of ${method} at a restart`, (correct, backend) => {
          const { store } = backend.options
          const lost = new Map<string, Item | undefined>()
          const note = (item: Item | undefined): void => {
            if (item) lost.set(item.key, lose(item))
          }
          return {
            [method]: async (...given: unknown[]) => {
              const answer = await (correct[method] as Call)(...given)
              if (method === 'compareAndSet') note(answer ? (given[2] as Item | undefined) : undefined)
              else for (const item of [given[0]].flat() as Item[]) note(item)
              return answer
            },
            close: async () => {
              await correct.close?.()
              for (const [key, item] of lost) {
                const at = backend.prefix + key
                const stored = store.entries.get(at)
                const whole = stored && decodeItem(key, stored)
                if (!whole || whole instanceof Error) continue
                const left = lose(whole)
                if (item === undefined || left === undefined) store.entries.delete(at)
                else store.entries.set(at, encodeItem(left, 'restart'))
              }
            },
          }
        }),
      )
    }
  }
  for (const method of ['delete', 'deleteMany', 'compareAndSet', 'clear'] as const) {
    mutants.push(
      mutant('restarts', `brings back what ${method} removed at a restart`, (correct, backend) => {
        const { entries } = backend.options.store
        const removed = new Map<string, Uint8Array>()
        return {
          [method]: async (...given: unknown[]) => {
            const before = new Map(entries)
            const answer = await (correct[method] as Call)(...given)
            for (const [key, bytes] of before) if (!entries.has(key)) removed.set(key, bytes)
            return answer
          },
          close: async () => {
            await correct.close?.()
            for (const [key, bytes] of removed) if (!entries.has(key)) entries.set(key, bytes)
          },
        }
      }),
    )
  }
  const joined: Change = (_, backend) => {
    const view = backend as unknown as { prefix: string; at(key: string): string }
    const name = backend.prefix.slice(0, -1)
    view.prefix = name
    view.at = (key) => name + key
    return {}
  }
  mutants.push(mutant('prefixes', 'puts nothing between prefix and key', joined))
  const short =
    (method: 'clear' | 'keys'): Change =>
    (correct, backend) => {
      const name = backend.prefix.slice(0, -1)
      if (method === 'clear') {
        return {
          clear: (prefix) =>
            prefix
              ? correct.clear(prefix)
              : backend.options.store.request('clear', (entries) => {
                  for (const key of entries.keys()) if (key.startsWith(name)) entries.delete(key)
                }),
        }
      }
      return {
        keys: async function* (prefix = '') {
          const all = await backend.options.store.request('keys', (entries) => [...entries.keys()])
          yield* correct.keys(prefix)
          if (prefix === '')
            for (const key of all) if (key.startsWith(name) && !key.startsWith(backend.prefix)) yield key
        },
      }
    }
  mutants.push(mutant('prefixes', 'clears every prefix that starts with its own', short('clear')))
  mutants.push(mutant('prefixes', 'yields keys of every prefix that starts with its own', short('keys')))
  return mutants
}

/** Wrong behaviour of the store as a whole: outages, formats, near copies, limits, transactions, restarts, prefixes. */
export function storeMutants(): Mutant[] {
  return [
    ...outageMutants(),
    ...formatMutants(),
    ...nearMutants(),
    ...limitMutants(),
    ...transactionMutants(),
    ...handleMutants(),
  ]
}
