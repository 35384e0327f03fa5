import { describe, expect, it } from 'vitest'
import { createMovableClock } from '../../src/conformance/index.ts'
import { Cache, type CacheOptions, type Item, type WriterEntry } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { codeOf, settled } from './rig.ts'

class Database {
  readonly rows = new Map<string, unknown>()
  readonly writes: string[][] = []
  failures = 0
  hold: Promise<void> | undefined

  async write(entries: readonly WriterEntry[]): Promise<void> {
    await this.hold
    this.#fail()
    this.writes.push(entries.map(({ key }) => key))
    for (const { key, value } of entries) this.rows.set(key, value)
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#fail()
    for (const key of keys) this.rows.delete(key)
  }

  #fail(): void {
    if (this.failures === 0) return
    this.failures -= 1
    throw new Error('the database is down')
  }
}

function open(options: Partial<CacheOptions> = {}) {
  const clock = createMovableClock()
  const database = new Database()
  const backend = new MapBackend({ clock })
  const cache = new Cache({ backend, clock, writer: database, ...options })
  return { clock, database, cache, backend }
}

describe('writeMode through', () => {
  it('has the database written before the call resolves', async () => {
    const { cache, database } = open()
    await cache.set('k', 1)
    expect(database.rows.get('k')).toBe(1)
    await cache.delete('k')
    expect(database.rows.has('k')).toBe(false)
  })

  it('rejects when the database fails, and does not go on serving what may have been replaced', async () => {
    const { cache, database } = open()
    await cache.set('k', 1)
    database.failures = 1
    await expect(cache.set('k', 2)).rejects.toThrow('the database is down')
    expect(await cache.get('k')).toBe(undefined)
  })

  it('keeps the value when the database refuses a delete', async () => {
    const { cache, database } = open()
    await cache.set('k', 1)
    database.failures = 1
    await expect(cache.delete('k')).rejects.toThrow('the database is down')
    expect(await cache.get('k')).toBe(1)
  })

  it('names the keys of a namespace apart from those of others', async () => {
    const { cache, database } = open({ namespace: 'shop' })
    await cache.set('k', 1)
    await cache.namespace('users').set('k', 2)
    expect([...database.rows]).toEqual([
      ['k', 1],
      ['@/users/:k', 2],
    ])
  })

  it('writes what conditional writes and counters made', async () => {
    const { cache, database } = open()
    await cache.add('a', 1)
    await cache.update('a', (current) => (current as number) + 1)
    await cache.increment('n', 5)
    expect([...database.rows]).toEqual([
      ['a', 2],
      ['n', 5],
    ])
  })
})

describe('writeMode behind', () => {
  it('writes in one batch after the delay, the last value of each key', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind' })
    await cache.set('a', 1)
    await cache.set('b', 1)
    await cache.set('a', 2)
    expect(database.rows.size).toBe(0)
    clock.advance(100)
    await settled()
    expect(database.writes).toEqual([['a', 'b']])
    expect(database.rows.get('a')).toBe(2)
  })

  it('writes at once when a batch is full', async () => {
    const { cache, database } = open({ writeMode: 'behind', writeBehind: { batchSize: 2 } })
    await cache.set('a', 1)
    await cache.set('b', 1)
    await settled()
    expect(database.writes).toEqual([['a', 'b']])
  })

  it('does not let a load read behind a write that waits', async () => {
    const { cache, database, backend } = open({ writeMode: 'behind' })
    database.rows.set('k', 'old')
    await cache.set('k', 'new')
    await backend.clear() // Evicted, say.
    expect(await cache.getOrSet('k', async () => database.rows.get('k'))).toBe('new')
    await cache.delete('k')
    expect(await cache.getOrSet('k', async () => database.rows.get('k'))).toBe(undefined)
  })

  it('tries a failed batch again, later and later, and tells so', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { delay: 10, retryDelay: 100 } })
    const told: boolean[] = []
    cache.on('writeFailed', ({ willRetry }) => told.push(willRetry))
    database.failures = 2
    await cache.set('k', 1)
    for (const ms of [10, 100, 199]) {
      clock.advance(ms)
      await settled()
    }
    expect(database.rows.size).toBe(0)
    clock.advance(1)
    await settled()
    expect(database.rows.get('k')).toBe(1)
    expect(told).toEqual([true, true])
  })

  it('gives a batch up after maxAttempts, and goes on with the next', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { delay: 10, maxAttempts: 1 } })
    const told: unknown[] = []
    cache.on('writeFailed', ({ keys, willRetry }) => told.push([keys, willRetry]))
    database.failures = 1
    await cache.set('lost', 1)
    clock.advance(10)
    await settled()
    await cache.set('kept', 1)
    clock.advance(10)
    await settled()
    expect(told).toEqual([[['lost'], false]])
    expect([...database.rows.keys()]).toEqual(['kept'])
  })

  it('rejects with QUEUE_FULL at the bound where that is wanted, and takes a waiting key all the same', async () => {
    const { cache } = open({ writeMode: 'behind', writeBehind: { maxQueued: 2, whenFull: 'reject' } })
    await cache.set('a', 1)
    await cache.set('b', 1)
    expect(await codeOf(cache.set('c', 1))).toBe('QUEUE_FULL')
    await cache.set('a', 2)
  })

  it('lets a write wait for room by default', async () => {
    const { cache, database } = open({ writeMode: 'behind', writeBehind: { maxQueued: 1, batchSize: 1 } })
    let release = (): void => {}
    database.hold = new Promise((resolve) => {
      release = resolve
    })
    await cache.set('a', 1)
    await settled()
    await cache.set('b', 1)
    let done = false
    const third = cache.set('c', 1).then(() => {
      done = true
    })
    await settled()
    expect(done).toBe(false)
    release()
    await third
    await cache.close()
    expect([...database.rows.keys()]).toEqual(['a', 'b', 'c'])
  })

  it('writes what waits when the cache is closed', async () => {
    const { cache, database } = open({ writeMode: 'behind' })
    await cache.set('k', 1)
    await cache.close()
    expect(database.rows.get('k')).toBe(1)
  })

  it('says at close how much did not reach the database', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind' })
    database.failures = 100
    await cache.set('k', 1)
    const closed = codeOf(cache.close())
    for (let tried = 0; tried < 6; tried += 1) {
      await settled()
      clock.advance(30_000)
    }
    expect(await closed).toBe('BACKEND_FAILURE')
  })

  it('keeps acknowledged writes in a journal for the next process', async () => {
    const items = new Map<string, Item>()
    const first = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    await first.cache.set('k', { v: 1 })
    await first.cache.set('gone', 1)
    await first.cache.delete('gone')
    // Killed here: nothing of it ran.
    const second = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    second.database.rows.set('gone', 'old')
    await settled()
    second.clock.advance(100)
    await settled()
    expect([...second.database.rows]).toEqual([['k', { v: 1 }]])
    expect(items.size).toBe(0)
  })

  it('never writes what an earlier process left over what this one wrote since', async () => {
    const items = new Map<string, Item>()
    const first = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    await first.cache.set('k', 'old')
    const second = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    await second.cache.set('k', 'new')
    await second.cache.close()
    expect(second.database.rows.get('k')).toBe('new')
    expect(items.size).toBe(0)
  })
})

describe('the options of a writer', () => {
  it('are refused where they mean nothing', () => {
    const backend = new MapBackend()
    const database = new Database()
    for (const options of [
      { writeMode: 'behind' },
      { writer: {} },
      { writer: database, writeMode: 'later' },
      { writer: database, writeBehind: {} },
      { writer: database, writeMode: 'behind', writeBehind: { batchSize: 0 } },
      { writer: database, writeMode: 'behind', writeBehind: { size: 1 } },
    ]) {
      expect(() => new Cache({ backend, ...options } as CacheOptions)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })
})
