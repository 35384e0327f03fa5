import { describe, expect, it } from 'vitest'
import { Cache, type WriterEntry } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { Database } from './database.ts'
import { open } from './open-with-database.ts'
import { codeOf, settled, twoProcesses } from './rig.ts'

describe('writeMode through', () => {
  it('the database is written before the call resolves', async () => {
    const { cache, database } = open()
    await cache.set('k', 1)
    expect(database.rows.get('k')).toBe(1)
    await cache.delete('k')
    expect(database.rows.has('k')).toBe(false)
  })

  it('a failing database rejects the call, and the value that may have been replaced is no longer served', async () => {
    const { cache, database } = open()
    await cache.set('k', 1)
    database.failures = 1
    await expect(cache.set('k', 2)).rejects.toThrow('the database is down')
    expect(await cache.get('k')).toBe(undefined)
  })

  it('a delete that the database refuses keeps the value', async () => {
    const { cache, database } = open()
    await cache.set('k', 1)
    database.failures = 1
    await expect(cache.delete('k')).rejects.toThrow('the database is down')
    expect(await cache.get('k')).toBe(1)
  })

  it('the writer gets distinct keys for each namespace', async () => {
    const { cache, database } = open({ namespace: 'shop' })
    await cache.set('k', 1)
    await cache.namespace('users').set('k', 2)
    expect([...database.rows]).toEqual([
      ['k', 1],
      ['@/users/:k', 2],
    ])
  })

  it('the results of conditional writes and counters are written', async () => {
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

describe('writeMode through, from two processes', () => {
  /** Two processes on one store and one database. The test decides when the database answers the first process. */
  function slowAnswers() {
    const rows = new Map<string, unknown>()
    const rig = twoProcesses()
    let answer = (): void => {}
    let reach = (): void => {}
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    const database = (answered: () => Promise<void>) => ({
      write: async (entries: readonly WriterEntry[]) => {
        for (const { key, value } of entries) rows.set(key, value)
        await answered()
      },
      delete: async (keys: readonly string[]) => {
        for (const key of keys) rows.delete(key)
        await answered()
      },
    })
    const slow = async (): Promise<void> => {
      reach()
      await new Promise<void>((resolve) => {
        answer = resolve
      })
    }
    const { clock } = rig
    const one = new Cache({ backend: rig.far, clock, writer: database(slow) })
    const other = new Cache({ backend: rig.otherFar, clock, writer: database(async () => {}) })
    return { rows, one, other, reached, answer: () => answer() }
  }

  for (const [change, act, left] of [
    ['set', (cache: Cache) => cache.set('k', 'newer'), 'newer'],
    ['setMany', (cache: Cache) => cache.setMany({ k: 'newer', j: 1 }), 'newer'],
    ['delete', (cache: Cache) => cache.delete('k'), undefined],
    ['take', (cache: Cache) => cache.take('k'), undefined],
  ] as const) {
    it(`R5 a ${change} between a write to the database and its answer is not lost in the cache`, async () => {
      const { rows, one, other, reached, answer } = slowAnswers()
      await other.set('k', 'old')
      const older = one.set('k', 'older')
      await reached
      await act(other)
      answer()
      await older
      expect(rows.get('k')).toBe(left)
      expect([undefined, left]).toContain(await one.get('k'))
      expect(await one.getOrSet('k', () => rows.get('k'))).toBe(left)
    })
  }

  it('R5 a setMany that overlaps another write keeps the values that the database has', async () => {
    const { rows, one, other, reached, answer } = slowAnswers()
    const older = one.setMany([
      ['a', 0],
      ['a', 1],
      ['b', 1],
    ])
    await reached
    await other.set('a', 2)
    answer()
    await older
    expect(await one.getMany(['a', 'b'])).toEqual([undefined, 1])
    expect([...rows]).toEqual([
      ['a', 2],
      ['b', 1],
    ])
  })

  it('an unreachable cache leaves both cache and database unchanged', async () => {
    const { far, clock } = twoProcesses()
    const database = new Database()
    const cache = new Cache({ backend: far, clock, writer: database })
    far.broken = true
    expect(await codeOf(cache.set('k', 1))).toBe('UNAVAILABLE')
    expect(database.rows.size).toBe(0)
  })

  it('a process killed after the database has the value leaves no old value in the cache', async () => {
    const { rows, one, other, reached } = slowAnswers()
    await other.set('k', 'old')
    void one.set('k', 'new')
    await reached
    // The process is killed here: the answer never comes.
    expect(await other.get('k')).toBe(undefined)
    expect(await other.getOrSet('k', () => rows.get('k'))).toBe('new')
    expect(await other.get('k')).toBe('new')
  })

  it('R5 a value loaded during the write to the database is kept out', async () => {
    const { rows, one, other, reached, answer } = slowAnswers()
    let end = (_value: string): void => {}
    const loading = other.getOrSet('k', () => new Promise<string>((resolve) => (end = resolve)))
    await settled()
    const writing = one.set('k', 'new')
    await reached
    end('loaded before')
    await loading
    expect(await other.get('k')).toBe(undefined)
    answer()
    await writing
    expect(await other.getOrSet('k', () => rows.get('k'))).toBe('new')
  })
})

describe('the order of changes', () => {
  it('changes of one key have the same order in database and cache, however long each write takes', async () => {
    const backend = new MapBackend()
    const log: unknown[] = []
    const gates: (() => void)[] = []
    const gate = (): Promise<void> => new Promise((resolve) => gates.push(resolve))
    const writer = {
      write: async (entries: readonly WriterEntry[]) => {
        await gate()
        log.push(entries[0]?.value)
      },
      delete: async () => {
        await gate()
        log.push('deleted')
      },
    }
    const cache = new Cache({ backend, writer })
    const all = [
      cache.set('k', 1),
      cache.set('k', 2),
      cache.delete('k'),
      cache.setMany({ k: 3, j: 4 }),
      cache.increment('k'),
    ]
    let done = false
    const settling = Promise.allSettled(all).then(() => {
      done = true
    })
    while (!done) {
      // The latest write ends first if several are running.
      gates.pop()?.()
      await settled()
    }
    await settling
    expect(log).toEqual([1, 2, 'deleted', 3, 4])
    expect(await cache.get('k')).toBe(4)
  })

  it('two batches with the same keys in different orders cause no deadlock', async () => {
    const { cache, database } = open()
    await Promise.all([cache.setMany({ a: 1, b: 1 }), cache.setMany({ b: 2, a: 2 }), cache.deleteMany(['b', 'a'])])
    expect(database.rows.size).toBe(0)
    expect(await cache.getMany(['a', 'b'])).toEqual([undefined, undefined])
  })
})

describe('the keys that the database sees', () => {
  it('R35 two keys never have the same database key, whatever their namespaces', async () => {
    const { cache, database } = open({ writeMode: 'behind' })
    await cache.set('@/users/:k', 'root')
    await cache.namespace('users').set('k', 'inner')
    await cache.set('@home', 'at')
    expect(await cache.namespace('users').getOrSet('k', () => 'loaded', { forceRefresh: true })).toBe('inner')
    await cache.close()
    expect([...database.rows]).toEqual([
      ['@@/users/:k', 'root'],
      ['@/users/:k', 'inner'],
      ['@@home', 'at'],
    ])
  })
})
