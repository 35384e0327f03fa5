import assert from 'node:assert/strict'
import type { BackendEvent } from '../../protocol/backend.ts'
import { describeRules } from '../every-call/describe-rules.ts'
import { limitRules } from '../every-call/limit-rules.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { createRandom } from '../samples/random.ts'
import { getAll } from '../stage/batches.ts'
import { fill, limit, openLimited } from '../stage/limited-store.ts'
import { canary } from '../stage/stage.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '12.1',
    says: '`stats().items`, if present, follows sets and deletes',
    members: ['stats'],
    async check(stage) {
      const { backend } = stage
      if ((await backend.stats()).items === undefined) stage.skip('`stats()` of the backend has no `items`')
      const shows = async (count: number): Promise<void> => {
        await stage.until(async () => (await backend.stats()).items === count, `stats().items to become ${count}`)
      }
      await shows(0)
      for (let n = 0; n < 20; n += 1) await backend.set(stage.item(`k${n}`, n))
      await shows(20)
      await backend.set(stage.item('k0', 'again'))
      await shows(20)
      for (let n = 0; n < 5; n += 1) await backend.delete(`k${n}`)
      await backend.delete('never set')
      await shows(15)
      if (backend.compareAndSet) {
        await backend.compareAndSet('k0', undefined, stage.item('k0', 'swapped'))
        await shows(16)
        await backend.delete('k0')
      }
      if (backend.increment) {
        await backend.increment('counter', 1)
        await backend.increment('counter', 1)
        await shows(16)
      }
      await backend.clear()
      await shows(0)
    },
  }),

  rule({
    id: '12.2',
    says: '`stats().evictions` counts evictions only, and each eviction emits one `evict` event',
    means: ['openLimited'],
    opens: false,
    async check(stage) {
      const backend = await openLimited(stage)
      const { listen, stats } = backend
      if (!listen || !stats) return stage.skip("the backend has no 'listen' or no 'stats'")
      const evicted: string[] = []
      listen.call(backend, (event) => {
        if (event.type === 'evict') evicted.push(event.key)
      })
      for (let n = 0; n < limit / 2; n += 1) await backend.set(stage.item(`k${n}`, n))
      for (let n = 0; n < 10; n += 1) await backend.delete(`k${n}`)
      await backend.set(stage.item('k10', 'again'))
      assert.equal((await stats.call(backend)).evictions, 0, 'evictions before the limit was reached')
      const keys = await fill(stage, backend)
      await stage.until(async () => {
        const gone = keys.length - (await stage.count(keys, backend))
        const reported = evicted.filter((key) => key.startsWith('full')).length
        return gone === reported && (await stats.call(backend)).evictions === evicted.length
      }, '`stats().evictions` and the `evict` events to match the removed items')
      const found = await getAll(backend, evicted)
      assert(
        found.every((item) => item === undefined),
        'an `evict` event names an item that is still there',
      )
    },
  }),

  rule({
    id: '12.3',
    says: 'a backend with a limit of entries keeps the limit, and uses at least half of it',
    means: ['openLimited'],
    opens: false,
    async check(stage) {
      const backend = await openLimited(stage)
      const few = Array.from({ length: limit / 2 }, (_, n) => stage.item(`few ${n}`, n))
      for (const item of few) await backend.set(item)
      for (const item of few) await stage.holds(item, backend)
      const keys = [...few.map((item) => item.key), ...(await fill(stage, backend))]
      await stage.until(async () => (await stage.count(keys, backend)) <= limit, `at most ${limit} items to be left`)
      const left = await stage.count(keys, backend)
      assert(left >= limit / 2, `${left} items are left where ${limit} are allowed`)
    },
  }),

  rule({
    id: '12.4',
    says: 'the function that `listen` returns removes its listener; other listeners still receive events',
    async check(stage) {
      const { harness } = stage
      const { corrupt } = harness
      if (harness.openLimited === undefined && corrupt === undefined) {
        stage.skip("the harness has neither 'openLimited' nor 'corrupt', so no event can be caused")
      }
      const backend = corrupt ? stage.backend : await openLimited(stage)
      const { listen } = backend
      if (!listen) return stage.skip("the backend has no 'listen'")
      const received = [0, 0]
      const listener = (): void => {
        received[0] = (received[0] ?? 0) + 1
      }
      const stop = listen.call(backend, listener)
      const other = listen.call(backend, () => {
        received[1] = (received[1] ?? 0) + 1
      })
      const happen = async (): Promise<void> => {
        if (!corrupt) {
          await fill(stage, backend)
          return
        }
        await backend.set(stage.item('k', { some: 'value' }))
        await corrupt('k', 'garbage')
        await stage.lacks('k', backend)
      }
      await happen()
      await stage.until(() => (received[0] ?? 0) > 0 && (received[1] ?? 0) > 0, 'an event at both listeners')
      stop()
      stop()
      const [before, others] = received
      await happen()
      await stage.until(() => (received[1] ?? 0) > (others ?? 0), 'another event at the other listener')
      assert.equal(received[0], before, 'a removed listener received another event')
      other()
    },
  }),

  rule({
    id: '12.5',
    says: '`stats().expired`, if present, counts each expired item once, in agreement with the `expire` events',
    members: ['stats', 'listen'],
    async check(stage) {
      const { backend } = stage
      if ((await backend.stats()).expired === undefined) stage.skip('`stats()` of the backend has no `expired`')
      const events: BackendEvent[] = []
      backend.listen((event) => {
        if (event.type === 'expire') events.push(event)
      })
      const deadline = stage.soon()
      const expiring = Array.from({ length: 10 }, (_, n) => `expiring ${n}`)
      for (const key of expiring) await backend.set(stage.item(key, 1, { expiresAt: deadline }))
      for (let n = 0; n < 10; n += 1) await backend.set(stage.item(`live ${n}`, n))
      for (let n = 0; n < 5; n += 1) await backend.delete(`live ${n}`)
      assert.equal((await backend.stats()).expired, 0, 'expired before any deadline')
      const before = stage.before(deadline) && events.length > 0
      assert(!before, 'an `expire` event before any deadline')
      await stage.pass(deadline)
      for (let round = 0; round < 2; round += 1) {
        for (const key of expiring) await stage.lacks(key)
        await getAll(backend, ['live 7', ...expiring])
      }
      await stage.until(
        async () => (await backend.stats()).expired === events.length,
        'stats and events to agree',
        2000,
      )
      const own = events.map((event) => (event.type === 'expire' ? event.key : '')).filter((key) => !isCanary(key))
      assert(
        own.every((key) => expiring.includes(key)),
        `expire events of items that did not expire: ${own.join(', ')}`,
      )
      assert.equal(new Set(own).size, own.length, 'an item that expired twice')
    },
  }),

  rule({
    id: '12.6',
    says: '`stats().size`, if present, grows when an item is set and shrinks when it is removed',
    members: ['stats'],
    async check(stage) {
      const { backend } = stage
      const size = async (): Promise<number> => (await backend.stats()).size ?? Number.NaN
      await backend.set(stage.item('small', 1))
      const before = await size()
      if (Number.isNaN(before)) stage.skip('`stats()` of the backend has no `size`')
      const random = createRandom(126)
      const text = Array.from({ length: 500_000 }, () => String.fromCharCode(33 + random.below(90))).join('')
      await backend.set(stage.item('large', text))
      await stage.until(async () => (await size()) >= before + 250_000, 'the size to grow by what was set')
      await backend.delete('large')
      await stage.until(async () => (await size()) < before + 250_000, 'the size to fall by what was deleted')
    },
  }),
]

export const statisticsAndEvents: Chapter = {
  title: '12 Statistics and events',
  rules: [...rules, ...limitRules, ...describeRules],
}

function isCanary(key: string): boolean {
  return key.includes(canary)
}
