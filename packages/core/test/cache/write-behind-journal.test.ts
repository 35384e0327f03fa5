import { describe, expect, it } from 'vitest'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import { Cache, type CacheError, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { open } from './open-with-database.ts'
import { codeOf, settled } from './rig.ts'

describe('the journal of writeMode behind', () => {
  it('a journal keeps acknowledged writes for the next process', async () => {
    const items = new Map<string, Item>()
    const first = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    await first.cache.set('k', { v: 1 })
    await first.cache.set('gone', 1)
    await first.cache.delete('gone')
    // The process is killed here, before any batch ran.
    const second = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    second.database.rows.set('gone', 'old')
    await settled()
    second.clock.advance(100)
    await settled()
    expect([...second.database.rows]).toEqual([['k', { v: 1 }]])
    expect(items.size).toBe(0)
  })

  it('journal items that are no changes are reported, and the others are written', async () => {
    const items = new Map<string, Item>()
    const journal = new MapBackend({ items })
    const first = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    await first.cache.set('k', 'new')
    const values = [null, 7, 'text', {}, { value: undefined }, { deleted: false }]
    for (const [n, value] of values.entries()) {
      await journal.set({ key: `@journal:odd ${n}`, value, version: 'v', createdAt: 0 })
    }
    const second = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    const errors: unknown[] = []
    second.cache.on('error', ({ error }) => errors.push((error as CacheError).code))
    await settled()
    second.clock.advance(100)
    await settled()
    expect([...second.database.rows]).toEqual([['k', 'new']])
    expect(errors).toEqual(values.map(() => 'DAMAGED'))
  })

  it('a load never returns an older value than a write that an earlier process left, cached values included', async () => {
    const journal = new Map<string, Item>()
    const cached = new Map<string, Item>()
    const first = open({
      namespace: 'shop',
      writeMode: 'behind',
      writeBehind: { journal: new MapBackend({ items: journal }) },
    })
    await first.cache.set('k', 'new')
    await first.cache.namespace('inner').set('k', 'new inside')
    const old = new Cache({ backend: new MapBackend({ items: cached }), namespace: 'shop' })
    await old.set('k', 'old')
    await old.namespace('inner').set('k', 'old inside')
    // The process is killed between journal and cache: the cache holds the old values.
    const gated = new BreakpointBackend(new MapBackend({ items: journal }))
    const second = open({
      backend: new MapBackend({ items: cached }),
      namespace: 'shop',
      writeMode: 'behind',
      writeBehind: { journal: gated },
    })
    expect(await second.cache.getOrSet('other', () => 'database')).toBe('database')
    expect(await second.cache.getOrSet('k', () => 'database, old')).toBe('new')
    expect(await second.cache.namespace('inner').getOrSet('k', () => 'database, old')).toBe('new inside')
    await second.cache.close()
    expect([...second.database.rows]).toEqual([
      ['k', 'new'],
      ['@/inner/:k', 'new inside'],
    ])
  })

  it('R41 a load never returns an older value than a write that an earlier process left, even if the cache fails at first', async () => {
    const items = new Map<string, Item>()
    const first = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    await first.cache.set('k', 'new')
    const far = new BreakpointBackend(new MapBackend())
    far.broken = true
    const second = open({ backend: far, writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    expect(await second.cache.getOrSet('k', () => 'database, old')).toBe('new')
    far.broken = false
    await second.cache.close()
    expect([...second.database.rows]).toEqual([['k', 'new']])
  })

  it('R41 writing resumes once the journal answers again, and loads work meanwhile', async () => {
    const journal = new BreakpointBackend(new MapBackend())
    journal.broken = true
    const { cache, database } = open({ writeMode: 'behind', writeBehind: { journal } })
    expect(await codeOf(cache.set('k', 1))).toBe('UNAVAILABLE')
    expect(await cache.getOrSet('other', () => 'loaded')).toBe('loaded')
    journal.broken = false
    await cache.set('k', 2)
    await cache.close()
    expect(database.rows.get('k')).toBe(2)
  })

  it('a batch is given up even if the journal fails to remove it', async () => {
    const journal = new BreakpointBackend(new MapBackend())
    const { cache, database, clock } = open({ writeMode: 'behind', writeBehind: { journal, maxAttempts: 1 } })
    await cache.set('lost', 1)
    database.failures = 1
    journal.failing.add('compareAndSet')
    clock.advance(100)
    await settled()
    journal.failing.clear()
    await cache.set('kept', 1)
    await cache.close()
    expect([...database.rows.keys()]).toEqual(['kept'])
  })

  it('a newer write of a key stays in the journal once the database has the older one', async () => {
    const items = new Map<string, Item>()
    const { cache, database, clock } = open({
      writeMode: 'behind',
      writeBehind: { journal: new MapBackend({ items }) },
    })
    let go = (): void => {}
    database.hold = new Promise((resolve) => {
      go = resolve
    })
    await cache.set('k', 'older')
    clock.advance(100)
    await cache.set('k', 'newer')
    // The next batch does not end.
    database.hold = new Promise(() => {})
    go()
    await settled()
    expect(database.rows.get('k')).toBe('older')
    // The process is killed here.
    const next = open({ writeMode: 'behind', writeBehind: { journal: new MapBackend({ items }) } })
    await next.cache.close()
    expect(next.database.rows.get('k')).toBe('newer')
  })

  it('writes that an earlier process left never overwrite later ones of this process', async () => {
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
