import { describe, expect, it } from 'vitest'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import { createRandom } from '../../src/conformance/samples/random.ts'
import { Cache, CacheError, type CacheOptions, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { Database } from './database.ts'
import { open } from './open-with-database.ts'
import { codeOf, collect, settled, twoProcesses } from './rig.ts'

/** A journal that is full. */
class RefusingBackend extends BreakpointBackend {
  refusals = 0

  override async set(item: Item): Promise<void> {
    await super.set(item)
    if (this.refusals === 0) return
    this.refusals -= 1
    throw new CacheError('OUT_OF_MEMORY', 'set: the disk is full', { operation: 'set', key: item.key })
  }
}

describe('writeMode behind', () => {
  it('one batch after the delay has the last value of each key', async () => {
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

  it('a full batch is written at once', async () => {
    const { cache, database } = open({ writeMode: 'behind', writeBehind: { batchSize: 2 } })
    await cache.set('a', 1)
    await cache.set('b', 1)
    await settled()
    expect(database.writes).toEqual([['a', 'b']])
  })

  it('a load never returns an older value than a pending write of its key', async () => {
    const { cache, database, backend } = open({ writeMode: 'behind' })
    database.rows.set('k', 'old')
    await cache.set('k', 'new')
    await backend.clear() // As after an eviction.
    expect(await cache.getOrSet('k', async () => database.rows.get('k'))).toBe('new')
    await cache.delete('k')
    expect(await cache.getOrSet('k', async () => database.rows.get('k'))).toBe(undefined)
  })

  it('a failed batch is retried with growing pauses, and each failure is emitted', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { delay: 10, retryDelay: 100 } })
    const emitted: boolean[] = []
    cache.on('writeFailed', ({ willRetry }) => emitted.push(willRetry))
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
    expect(emitted).toEqual([true, true])
  })

  it('a batch is given up after maxAttempts, and the next one is written', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { delay: 10, maxAttempts: 1 } })
    const emitted: unknown[] = []
    cache.on('writeFailed', ({ keys, willRetry }) => emitted.push([keys, willRetry]))
    database.failures = 1
    await cache.set('lost', 1)
    clock.advance(10)
    await settled()
    await cache.set('kept', 1)
    clock.advance(10)
    await settled()
    expect(emitted).toEqual([[['lost'], false]])
    expect([...database.rows.keys()]).toEqual(['kept'])
  })

  it('a change that the database refuses does not stop the other changes of its batch or later ones', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind' })
    database.refused = 'bad'
    const emitted: [readonly string[], boolean][] = []
    cache.on('writeFailed', ({ keys, willRetry }) => emitted.push([keys, willRetry]))
    await cache.setMany({ bad: 1, a: 1, b: 1 })
    for (const ms of [100, 100, 200, 100]) {
      clock.advance(ms)
      await settled()
    }
    expect([...database.rows.keys()]).toEqual(['a', 'b'])
    await cache.set('later', 1)
    clock.advance(30_000)
    await settled()
    clock.advance(30_000)
    await settled()
    expect([...database.rows.keys()]).toEqual(['a', 'b', 'later'])
    expect(emitted.slice(0, 4)).toEqual([
      [['bad', 'a', 'b'], true],
      [['bad'], true],
      [['b', 'bad'], true],
      [['bad'], true],
    ])
    // The application has corrected the value.
    database.refused = undefined
    clock.advance(30_000)
    await settled()
    expect(database.rows.get('bad')).toBe(1)
    expect(clock.timers).toBe(0)
  })

  it('only the change that fails by itself is given up', async () => {
    const journal = new MapBackend()
    const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { maxAttempts: 1, journal } })
    database.refused = 'bad'
    const emitted: [readonly string[], boolean][] = []
    cache.on('writeFailed', ({ keys, willRetry }) => emitted.push([keys, willRetry]))
    await cache.setMany({ a: 1, bad: 1, b: 1 })
    for (let tried = 0; tried < 4; tried += 1) {
      clock.advance(100)
      await settled()
    }
    expect([...database.rows.keys()]).toEqual(['a', 'b'])
    expect(emitted.at(-1)).toEqual([['bad'], false])
    expect(await collect(journal.keys?.() ?? [])).toEqual([])
  })

  it('close writes the other changes, and reports the one that did not reach the database', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind' })
    database.refused = 'k3'
    await cache.setMany(Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, index])))
    const closed = cache.close().catch((error) => error)
    for (let tried = 0; tried < 20; tried += 1) {
      await settled()
      clock.advance(2000)
    }
    expect(await closed).toMatchObject({
      code: 'BACKEND_FAILURE',
      message: expect.stringContaining('1 written values'),
    })
    expect(database.rows.size).toBe(49)
  })

  it('an older value of a key never overwrites a newer one, whatever fails meanwhile (seeded)', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    const random = createRandom(seed)
    for (let round = 0; round < 30; round += 1) {
      const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { batchSize: 1 + random.below(4) } })
      const last = new Map<string, number>()
      const seen = new Map<string, number>()
      const write = database.write.bind(database)
      database.write = async (entries) => {
        await write(entries)
        for (const { key, value } of entries) {
          if ((value as number) < (seen.get(key) ?? 0)) expect.unreachable(`SEED=${seed}: ${key} went back to ${value}`)
          seen.set(key, value as number)
        }
      }
      for (let step = 1; step < 60; step += 1) {
        const key = `k${random.below(5)}`
        await cache.set(key, step)
        last.set(key, step)
        if (random.below(4) === 0) database.failures += random.below(3)
        database.refused = random.below(3) === 0 ? `k${random.below(5)}` : undefined
        clock.advance(random.below(300))
        if (random.below(2) === 0) await settled()
      }
      await settled()
      database.failures = 0
      database.refused = undefined
      await cache.close()
      expect(Object.fromEntries(database.rows), `SEED=${seed}`).toEqual(Object.fromEntries(last))
    }
  })

  it('a full queue can reject with QUEUE_FULL, and still accepts a key that is already in it', async () => {
    const { cache } = open({ writeMode: 'behind', writeBehind: { maxQueued: 2, whenFull: 'reject' } })
    await cache.set('a', 1)
    await cache.set('b', 1)
    expect(await codeOf(cache.set('c', 1))).toBe('QUEUE_FULL')
    await cache.set('a', 2)
  })

  it('a write waits for room by default', async () => {
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

  it('a write without room starts a flush if none is running', async () => {
    const { cache, database } = open({ writeMode: 'behind', writeBehind: { maxQueued: 2 } })
    await cache.setMany({ a: 1, b: 2 })
    await cache.set('c', 3)
    await cache.close()
    expect([...database.rows.keys()]).toEqual(['a', 'b', 'c'])
  })

  it('the queue keeps its maximum, however many writes wait for room', async () => {
    for (const journal of [undefined, new MapBackend()]) {
      const writeBehind = { maxQueued: 3, whenFull: 'reject', ...(journal === undefined ? {} : { journal }) } as const
      const { cache } = open({ writeMode: 'behind', writeBehind })
      const codes = await Promise.all(Array.from({ length: 10 }, (_, index) => codeOf(cache.set(`k${index}`, 1))))
      expect(codes.filter((code) => code === 'QUEUE_FULL').length).toBe(7)
    }
  })

  it('a write that the journal refused frees its room', async () => {
    const journal = new RefusingBackend(new MapBackend())
    const { cache, database } = open({ writeMode: 'behind', writeBehind: { maxQueued: 1, journal } })
    const held = journal.holdBefore('set')
    journal.refusals = 1
    const first = codeOf(cache.set('a', 1))
    await held.reached
    const second = cache.set('b', 2)
    await settled()
    held.open()
    expect(await first).toBe('OUT_OF_MEMORY')
    await second
    await cache.close()
    expect([...database.rows]).toEqual([['b', 2]])
  })

  it('a change that arrives just as a flush ends is written', async () => {
    // Each trial writes one microtask later after the answer of the database. One trial hits the end of the flush.
    for (let turns = 0; turns < 30; turns += 1) {
      const { cache, database, clock } = open({ writeMode: 'behind' })
      let release = (): void => {}
      database.hold = new Promise((resolve) => {
        release = resolve
      })
      await cache.set('first', 1)
      clock.advance(100)
      await settled()
      release()
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
      await cache.set('second', 2)
      await settled()
      clock.advance(100)
      await settled()
      expect(database.rows.get('second'), `after ${turns} turns`).toBe(2)
    }
  })

  it('a write that is running at close reaches the database', async () => {
    const { cache, database } = open({ writeMode: 'behind', writeBehind: { maxQueued: 1, batchSize: 1 } })
    let release = (): void => {}
    database.hold = new Promise((resolve) => {
      release = resolve
    })
    const writes = ['a', 'b', 'c', 'd'].map((key) => cache.set(key, key))
    await settled()
    const closing = cache.close()
    release()
    await Promise.all(writes)
    await closing
    expect([...database.rows.keys()].sort()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('writes that wait for room reject if the database fails at close, and no timer is left', async () => {
    const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { maxQueued: 1, batchSize: 1 } })
    database.failures = 1000
    const codes = ['a', 'b', 'c'].map((key) => codeOf(cache.set(key, key)))
    await settled()
    const closed = codeOf(cache.close())
    for (let tried = 0; tried < 8; tried += 1) {
      await settled()
      clock.advance(1000)
    }
    expect(await closed).toBe('BACKEND_FAILURE')
    expect(await Promise.all(codes)).toEqual([{ resolved: undefined }, { resolved: undefined }, 'QUEUE_FULL'])
    expect(clock.timers).toBe(0)
  })

  it('close closes the backend even if the database fails', async () => {
    const { cache, database, backend, clock } = open({ writeMode: 'behind' })
    database.failures = 1000
    await cache.set('k', 1)
    const closed = codeOf(cache.close())
    for (let tried = 0; tried < 8; tried += 1) {
      await settled()
      clock.advance(1000)
    }
    expect(await closed).toBe('BACKEND_FAILURE')
    expect(await codeOf(backend.get('k'))).toBe('CLOSED')
  })

  it('close writes the pending changes', async () => {
    const { cache, database } = open({ writeMode: 'behind' })
    await cache.set('k', 1)
    await cache.close()
    expect(database.rows.get('k')).toBe(1)
  })

  it('close reports how many changes did not reach the database', async () => {
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
})

describe('the options of a writer', () => {
  it('invalid options are refused', () => {
    const backend = new MapBackend()
    const database = new Database()
    for (const options of [
      { writeMode: 'behind' },
      { writer: {} },
      { writer: database, writeMode: 'later' },
      { writer: database, writeBehind: {} },
      { writer: database, writeMode: 'behind', writeBehind: { batchSize: 0 } },
      { writer: database, writeMode: 'behind', writeBehind: { size: 1 } },
      { writer: database, writeMode: 'behind', writeBehind: null },
      { writer: database, writeMode: 'behind', writeBehind: { journal: null } },
      { writer: database, writeMode: 'behind', writeBehind: { journal: {} } },
      { writer: database, writeMode: 'behind', writeBehind: { journal: backend } },
      { writer: database, writeMode: 'behind', writeBehind: { batchSize: null } },
      { writer: null },
    ]) {
      expect(() => new Cache({ backend, ...options } as CacheOptions)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })
})

describe('close with a writer that never answers', () => {
  it('close rejects after closeTimeout, names the unwritten keys, and emits them', async () => {
    const { far, clock } = twoProcesses()
    const database = new Database()
    database.hold = new Promise(() => {})
    const cache = new Cache({
      backend: far,
      clock,
      writer: database,
      writeMode: 'behind',
      writeBehind: { batchSize: 2, maxQueued: 3, closeTimeout: '5s' },
    })
    const failed: (readonly string[])[] = []
    cache.on('writeFailed', ({ keys, willRetry }) => {
      if (!willRetry) failed.push(keys)
    })
    for (const key of ['a', 'b', 'c', 'd', 'e']) await cache.set(key, 1)
    const waiting = codeOf(cache.set('f', 1))
    await settled()
    const closing = cache.close().then(
      () => undefined,
      (error) => error,
    )
    await settled()
    clock.advance(4999)
    await settled()
    expect(failed).toEqual([])
    clock.advance(1)
    const error = await closing
    expect(error).toMatchObject({ code: 'BACKEND_FAILURE', operation: 'close', cache: 'cache' })
    for (const key of ['a', 'b', 'c', 'd', 'e']) expect(error.message).toContain(`'${key}'`)
    expect(failed.flat().sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await waiting).toBe('QUEUE_FULL')
    expect(clock.timers).toBe(0)
  })
})
