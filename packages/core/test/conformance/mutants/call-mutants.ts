import { CacheError } from '../../../src/backend-kit/index.ts'
import type { Item } from '../../../src/index.ts'
import type { BytesBackend, Entries } from '../bytes-backend.ts'
import { type Change, type Full, type Mutant, mutant, turn } from './mutant.ts'

const sizes: Readonly<Record<string, (n: number) => boolean>> = {
  'of one': (n) => n === 1,
  'of two': (n) => n === 2,
  'of a hundred': (n) => n === 100,
  'of a multiple of 64': (n) => n > 0 && n % 64 === 0,
  'of a multiple of 500': (n) => n > 0 && n % 500 === 0,
  'of one more than 256': (n) => n === 257,
  'of more than 1,000': (n) => n > 1000,
  'of more than 4,096': (n) => n > 4096,
  'of more than 32,766': (n) => n > 32_766,
  'of more than 65,535': (n) => n > 65_535,
}

function batchMutants(): Mutant[] {
  return Object.entries(sizes).flatMap(([size, is]) => {
    const cut = <One>(list: readonly One[]): readonly One[] => (is(list.length) ? list.slice(0, -1) : list)
    const swap = <One>(list: One[]): One[] =>
      is(list.length) && list.length > 1 ? [list[1] as One, list[0] as One, ...list.slice(2)] : list
    const changes: Readonly<Record<string, Change>> = {
      'does not store the last item of a batch': (correct) => ({ setMany: (all) => correct.setMany(cut(all)) }),
      'does not return the last item of a batch': (correct) => ({
        getMany: async (keys) =>
          (await correct.getMany(keys)).map((item, n) => (is(keys.length) && n === keys.length - 1 ? undefined : item)),
      }),
      'returns a batch in a wrong order': (correct) => ({ getMany: async (keys) => swap(await correct.getMany(keys)) }),
      'does not remove the last key of a batch': (correct) => ({ deleteMany: (keys) => correct.deleteMany(cut(keys)) }),
      'rejects a batch': (correct) => ({
        setMany: async (all) => {
          if (is(all.length)) throw new CacheError('BACKEND_FAILURE', 'setMany: too many parameters')
          await correct.setMany(all)
        },
      }),
    }
    return Object.entries(changes)
      .filter(([does]) => size !== 'of one' || !does.includes('order'))
      .map(([does, change]) => mutant('batches', `${does} ${size}`, change))
  })
}

type Gap = () => Promise<void>
const gaps: Readonly<Record<string, Gap>> = {
  'a microtask': async () => {},
  'a turn of the event loop': turn,
}

const rivals = ['set', 'delete', 'clear', 'setMany', 'deleteMany', 'compareAndSet', 'increment'] as const

/** `compareAndSet` and `increment` in two steps, with a lock that all writes but one take. */
function raceMutants(): Mutant[] {
  const mutants: Mutant[] = []
  for (const method of ['compareAndSet', 'increment'] as const) {
    for (const rival of rivals) {
      for (const [name, gap] of Object.entries(gaps)) {
        const change: Change = (correct) => {
          let last: Promise<unknown> = Promise.resolve()
          const locked = <Answer>(work: () => Promise<Answer>): Promise<Answer> => {
            const turnOf = last.then(work)
            last = turnOf.catch(() => {})
            return turnOf
          }
          const steps: Partial<Full> = {
            compareAndSet: async (key, expected, next) => {
              if ((await correct.get(key))?.version !== expected) return false
              await gap()
              if (next) await correct.set(next)
              else await correct.delete(key)
              return true
            },
            increment: async (key, delta, end) => {
              const found = await correct.get(key)
              if (typeof found?.value !== 'number') return correct.increment(key, delta, end)
              await gap()
              const sum = found.value + delta
              if (!Number.isSafeInteger(sum) || !Number.isInteger(found.value))
                return correct.increment(key, delta, end)
              await correct.set({ ...found, value: sum, version: `${found.version}+` })
              return sum
            },
          }
          const whole = { ...correct, [method]: steps[method] }
          const changed: Record<string, unknown> = {}
          for (const one of [method, ...rivals]) {
            const call = whole[one] as (...given: unknown[]) => Promise<unknown>
            changed[one] = one === rival ? call : (...given: unknown[]) => locked(() => call(...given))
          }
          return changed as Partial<Full>
        }
        mutants.push(mutant('races', `has a ${method} in two steps, ${name} apart, that ${rival} interrupts`, change))
      }
    }
  }
  return mutants
}

function counterMutants(): Mutant[] {
  const after = (change: (found: Item, before: Item | undefined, now: number) => Item): Change => {
    return (correct, backend) => ({
      increment: async (key, delta, end) => {
        const before = await correct.get(key)
        const sum = await correct.increment(key, delta, end)
        const found = await correct.get(key)
        if (found) await correct.set(change(found, before, backend.options.clock.now()))
        return sum
      },
    })
  }
  const changes: Readonly<Record<string, Change>> = {
    'moves the deadline of a counter by a millisecond': after((found, before) =>
      found.expiresAt === undefined || !before ? found : { ...found, expiresAt: found.expiresAt + 1 },
    ),
    'rounds the deadline of a counter up to seconds': after((found) =>
      found.expiresAt === undefined ? found : { ...found, expiresAt: Math.ceil(found.expiresAt / 1000) * 1000 },
    ),
    'computes the remaining lifetime of a counter in seconds': after((found, _, now) =>
      found.expiresAt === undefined
        ? found
        : { ...found, expiresAt: now + Math.ceil((found.expiresAt - now) / 1000) * 1000 },
    ),
    'drops the deadline of a counter beyond ten': after((found) => {
      const { expiresAt: _, ...rest } = found
      return (found.value as number) > 10 ? rest : found
    }),
    'drops the cost of a counter': after(({ cost: _, ...rest }) => rest),
    'drops staleAt of a counter': after(({ staleAt: _, ...rest }) => rest),
    'keeps the first tag of a counter': after((found) =>
      found.tags ? { ...found, tags: Object.fromEntries(Object.entries(found.tags).slice(0, 1)) } : found,
    ),
    'keeps the version of a counter': after((found, before) =>
      before ? { ...found, version: before.version } : found,
    ),
  }
  return Object.entries(changes).map(([does, change]) => mutant('counters', does, change))
}

/** A store that removes items by timers of the process, and forgets to stop some. */
function timerMutants(): Mutant[] {
  const ways = ['set', 'setMany', 'compareAndSet', 'delete', 'deleteMany', 'clear'] as const
  const timed = (forgets: string, delay: (ms: number) => number): Change => {
    return (correct, backend) => {
      const timers = new Map<string, NodeJS.Timeout>()
      const stop = (key: string, way: string): void => {
        if (way !== forgets) clearTimeout(timers.get(key))
      }
      const start = ({ key, expiresAt }: Item, way: string): void => {
        stop(key, way)
        const ms = (expiresAt ?? 0) - backend.options.clock.now()
        if (expiresAt === undefined || ms <= 0) return
        const wait = delay(ms)
        if (wait <= 2 ** 31 - 1 || forgets === 'overflow')
          timers.set(key, setTimeout(() => void correct.delete(key).catch(() => {}), wait).unref())
      }
      const remove = (key: string): void => stop(key, 'other')
      return {
        set: async (item) => {
          await correct.set(item)
          start(item, 'set')
        },
        setMany: async (all) => {
          await correct.setMany(all)
          for (const item of all) start(item, 'setMany')
        },
        compareAndSet: async (key, expected, next) => {
          const done = await correct.compareAndSet(key, expected, next)
          if (done && next) start(next, 'compareAndSet')
          else if (done) stop(key, 'compareAndSet')
          return done
        },
        delete: async (key) => {
          stop(key, 'delete')
          if (forgets === 'delete') timers.delete(key)
          return correct.delete(key)
        },
        deleteMany: async (keys) => {
          for (const key of keys) stop(key, 'deleteMany')
          if (forgets === 'deleteMany') for (const key of keys) timers.delete(key)
          return correct.deleteMany(keys)
        },
        clear: async (prefix = '') => {
          for (const key of timers.keys())
            if (key.startsWith(prefix)) forgets === 'clear' ? timers.delete(key) : remove(key)
          await correct.clear(prefix)
        },
        close: async () => {
          if (forgets !== 'close') for (const timer of timers.values()) clearTimeout(timer)
          else for (const timer of timers.values()) timer.ref()
          if (forgets === 'close') setTimeout(() => timers.forEach(clearTimeout), 3000).unref()
          await correct.close?.()
        },
      }
    }
  }
  const mutants = ways.map((way) =>
    mutant(
      'timers',
      `keeps the timer of an item at ${way}`,
      timed(way, (ms) => ms),
      'real time',
    ),
  )
  mutants.push(
    mutant(
      'timers',
      'starts timers that are too long',
      timed('overflow', (ms) => ms),
      'real time',
    ),
  )
  mutants.push(
    mutant(
      'timers',
      'leaves the timers of items at close',
      timed('close', (ms) => ms),
      'real time',
    ),
  )
  const sweeps: Readonly<Record<string, (item: Item, now: number) => boolean>> = {
    'stale items': (item, now) => item.staleAt !== undefined && item.staleAt <= now,
    placeholders: (item) => item.value === undefined,
    'items without a deadline': (item) => item.expiresAt === undefined,
    'items that expire within a minute': (item, now) => item.expiresAt !== undefined && item.expiresAt < now + 60_000,
    'old items': (item, now) => item.createdAt < now - 86_400_000,
    'falsy values': (item) => !item.value,
  }
  for (const [what, removes] of Object.entries(sweeps)) {
    const change: Change = (correct, backend) => {
      const sweep = async (): Promise<void> => {
        await backend.options.store.request('sweep', (entries) => {
          for (const key of [...entries.keys()]) {
            const item = read(backend, entries, key.slice(backend.prefix.length))
            if (item && removes(item, backend.options.clock.now())) entries.delete(key)
          }
        })
      }
      const timer = setInterval(() => void sweep().catch(() => {}), 30).unref()
      return {
        close: async () => {
          clearInterval(timer)
          await correct.close?.()
        },
      }
    }
    mutants.push(mutant('timers', `sweeps ${what}`, change, 'real time'))
    mutants.push(
      mutant('timers', `sweeps ${what} by the clock of the test`, (correct, backend) => {
        const { clock } = backend.options
        let stop: (() => void) | undefined
        const start = (): void => {
          stop = clock.after?.(60_000, () => {
            const { entries } = backend.options.store
            for (const key of [...entries.keys()]) {
              const item = read(backend, entries, key.slice(backend.prefix.length))
              if (item && removes(item, clock.now())) entries.delete(key)
            }
            start()
          })
        }
        start()
        return {
          close: async () => {
            stop?.()
            await correct.close?.()
          },
        }
      }),
    )
  }
  return mutants
}

export function read(backend: BytesBackend, entries: Entries, key: string): Item | undefined {
  return (backend as unknown as { read(entries: Entries, key: string): Item | undefined }).read(entries, key)
}

function iterationMutants(): Mutant[] {
  const paged = (
    next: (all: readonly string[], backend: BytesBackend, prefix: string) => AsyncIterable<string>,
  ): Change => {
    return (_, backend) => ({
      keys: async function* (prefix = '') {
        const all = await backend.options.store.request('keys', (entries) => [...entries.keys()])
        yield* next(all, backend, prefix)
      },
    })
  }
  const live = async (backend: BytesBackend, key: string, prefix: string): Promise<string | undefined> => {
    if (!key.startsWith(backend.prefix + prefix)) return undefined
    const own = key.slice(backend.prefix.length)
    return (await backend.get(own))?.value === undefined ? undefined : own
  }
  const changes: Record<string, Change> = {}
  for (const most of [3000, 3500, 5000, 10_000]) {
    changes[`yields no more than ${most} keys`] = (correct) => ({
      keys: async function* (prefix) {
        let count = 0
        for await (const key of correct.keys(prefix)) if (count++ < most) yield key
      },
    })
    changes[`looks at no more than ${most} keys`] = paged(async function* (all, backend, prefix) {
      for (const key of all.slice(0, most)) {
        const own = await live(backend, key, prefix)
        if (own !== undefined) yield own
      }
    })
  }
  for (const size of [100, 500, 1000, 2500]) {
    changes[`ends at an empty page of ${size}`] = paged(async function* (all, backend, prefix) {
      for (let start = 0; start < all.length; start += size) {
        let found = 0
        for (const key of all.slice(start, start + size)) {
          const own = await live(backend, key, prefix)
          if (own === undefined) continue
          found += 1
          yield own
        }
        if (found === 0) return
      }
    })
    changes[`pages by offset, ${size} at a time`] = (_, backend) => ({
      keys: async function* (prefix = '') {
        for (let offset = 0; ; offset += size) {
          const all = await backend.options.store.request('keys', (entries) =>
            [...entries.keys()].slice(offset, offset + size),
          )
          if (all.length === 0) return
          for (const key of all) {
            const own = await live(backend, key, prefix)
            if (own !== undefined) yield own
          }
        }
      },
    })
  }
  return Object.entries(changes).map(([does, change]) => mutant('iterations', does, change))
}

/** Wrong behaviour of single calls: batches, races, counters, timers, iterations. */
export function callMutants(): Mutant[] {
  return [...batchMutants(), ...raceMutants(), ...counterMutants(), ...timerMutants(), ...iterationMutants()]
}
