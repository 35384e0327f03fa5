import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertSame } from '../stage/assert-same.ts'
import { collect } from '../stage/collect.ts'
import { everyOperation } from '../stage/every-operation.ts'
import { Faults } from '../stage/faults.ts'
import { show } from '../stage/show.ts'
import type { Stage } from '../stage/stage.ts'
import { TimerWatch } from '../stage/timer-watch.ts'

/** The codes for a store that does not answer. A circuit breaker fails without a call of the store. */
const outageCodes = ['UNAVAILABLE', 'TIMEOUT', 'CIRCUIT_OPEN'] as const

/** Milliseconds in which a late effect of a call would show. */
const lateEffect = 300

/** 10.11 to 10.16: during an outage, after it, and after `close`. */
export const outageRules: readonly Rule[] = [
  rule({
    id: '10.11',
    says: 'a write that rejects during an outage never takes effect after a later write',
    means: ['break', 'heal'],
    async check(stage) {
      const { backend, harness } = stage
      const keys = ['set', 'setMany', 'compareAndSet', 'increment', 'delete', 'deleteMany', 'cleared:1', 'removed']
      const before = new Map(keys.map((key) => [key, stage.item(key, 1)]))
      for (const item of before.values()) await backend.set(item)
      const lost = (key: string): Item => stage.item(key, 'lost')
      const calls: (() => Promise<unknown> | undefined)[] = [
        () => backend.set(lost('set')),
        () => backend.delete('delete'),
        () => backend.clear('cleared:'),
      ]
      if (backend.setMany) calls.push(() => backend.setMany?.([lost('setMany')]))
      if (backend.deleteMany) calls.push(() => backend.deleteMany?.(['deleteMany']))
      if (backend.increment) calls.push(() => backend.increment?.('increment', 1000))
      if (backend.compareAndSet) {
        calls.push(() =>
          backend.compareAndSet?.('compareAndSet', before.get('compareAndSet')?.version, lost('compareAndSet')),
        )
        calls.push(() => backend.compareAndSet?.('removed', before.get('removed')?.version, undefined))
      }
      await harness.break()
      try {
        for (const call of calls) await stage.rejects(call, ...outageCodes)
      } finally {
        await harness.heal()
      }
      await recovers(stage, backend)
      const later = keys.map((key) => stage.item(key, 2))
      for (const item of later) await backend.set(item)
      await throughout(lateEffect, async () => {
        for (const item of later) await stage.holds(item)
      })
    },
  }),

  rule({
    id: '10.12',
    says: 'a write in flight at the begin of an outage takes effect once at most, and once if it resolved',
    members: ['increment'],
    means: ['break', 'heal'],
    async check(stage) {
      const { backend, harness } = stage
      for (const [round, lead] of [0, 2, 4, 7, Number.POSITIVE_INFINITY].entries()) {
        const start = round * 1000
        await backend.set(stage.item('n', start))
        const items = Array.from({ length: 10 }, (_, n) => stage.item(`k${n}`, `${round}/${n}`))
        const sets = items.map((item) => outcome(() => backend.set(item)))
        const counts = Array.from({ length: 20 }, () => outcome(() => backend.increment('n', 1)))
        // An outage before the call is sent, after it, and after it took effect.
        if (lead === Number.POSITIVE_INFINITY) await new Promise((resolve) => setImmediate(resolve))
        else for (let tick = 0; tick < lead; tick += 1) await null
        await harness.break()
        counts.push(...Array.from({ length: 5 }, () => outcome(() => backend.increment('n', 1))))
        const bound = harness.failureBound ?? 2000
        const [stored, counted] = await stage
          .within(
            bound * 2,
            () => Promise.all([Promise.all(sets), Promise.all(counts)]),
            'the calls in flight at the begin of an outage',
          )
          .finally(() => harness.heal())
        await recovers(stage, backend)
        await throughout(lateEffect / 2, async () => {})
        const resolved = counted.filter((one) => !(one instanceof Error))
        const found = Number((await backend.get('n'))?.value)
        const [least, most] = [start + resolved.length, start + counted.length]
        assert(
          found >= least && found <= most,
          `of ${counted.length} increments from ${start} by 1, ${resolved.length} resolved; the counter is ${found}, and not between ${least} and ${most}`,
        )
        assertSame(new Set(resolved).size, resolved.length, 'the number of different sums')
        for (const [n, answer] of stored.entries()) if (!(answer instanceof Error)) await stage.holds(items[n] as Item)
        const sum = await backend.increment('n', 1)
        assertSame(sum, found + 1, 'increment after the outage')
        await throughout(lateEffect / 2, async () =>
          assertSame((await backend.get('n'))?.value, sum, 'the counter after the outage'),
        )
      }
    },
  }),

  rule({
    id: '10.13',
    says: '`close` settles within the bound while the store is unreachable or hangs, and so do the calls in flight',
    members: ['close'],
    means: ['break', 'heal'],
    async check(stage) {
      const { backend, harness } = stage
      const bound = harness.failureBound ?? 2000
      await backend.set(stage.item('k', 1))
      const another = async (): Promise<CacheBackend> => {
        const handle = harness.openSecond === undefined ? backend : await stage.opened(harness.openSecond())
        await handle.get('k')
        return handle
      }
      const closes = async (handle: CacheBackend, what: string): Promise<void> => {
        const calls = everyOperation(handle, stage).map(([, call]) => outcome(call))
        await stage.within(bound * 2, async () => handle.close?.(), `close while the store ${what}`)
        const answers = await stage.within(
          bound,
          () => Promise.all(calls),
          `the calls in flight during close while the store ${what}`,
        )
        for (const answer of answers) {
          if (answer instanceof Error)
            assert(cacheErrorCode(answer) !== undefined, `a call in flight during close rejected with ${show(answer)}`)
        }
      }
      const first = await another()
      await harness.break()
      await closes(first, 'is unreachable').finally(() => harness.heal())
      if (!harness.freeze || !harness.thaw || !harness.openSecond) return
      const second = await another()
      await harness.freeze()
      await closes(second, 'hangs').finally(() => harness.thaw?.())
    },
  }),

  rule({
    id: '10.14',
    says: 'the bound holds for calls that wait at the same time and for large batches, while the store is unreachable or hangs',
    means: ['break', 'heal'],
    async check(stage) {
      const { backend, harness } = stage
      const bound = harness.failureBound ?? 2000
      const items = Array.from({ length: 1500 }, (_, n) => stage.item(`k${n}`, n))
      const keys = items.map((item) => item.key)
      await backend.set(stage.item('k', 1))
      const settles = async (what: string): Promise<void> => {
        const calls: [name: string, call: () => unknown][] = Array.from({ length: 40 }, (_, n) => [
          `get ${n} of 40`,
          () => backend.get(`k${n}`),
        ])
        for (let n = 0; n < 5; n += 1)
          calls.push(...everyOperation(backend, stage).map(([name, call]): (typeof calls)[number] => [name, call]))
        if (backend.getMany) calls.push(['getMany of 1,500 keys', () => backend.getMany?.(keys)])
        if (backend.setMany) calls.push(['setMany of 1,500 items', () => backend.setMany?.(items)])
        if (backend.deleteMany) calls.push(['deleteMany of 1,500 keys', () => backend.deleteMany?.(keys)])
        const faults = new Faults()
        await Promise.all(
          calls.map(([name, call]) =>
            faults.attempt(`${name} while the store ${what}`, () =>
              stage.within(bound, () => stage.rejects(call, ...outageCodes), 'the call'),
            ),
          ),
        )
        faults.report()
      }
      await harness.break()
      await settles('is unreachable').finally(() => harness.heal())
      await recovers(stage, backend)
      if (!harness.freeze || !harness.thaw) return
      await harness.freeze()
      await settles('hangs').finally(() => harness.thaw?.())
      await recovers(stage, backend)
    },
  }),

  rule({
    id: '10.15',
    says: 'after `close`, no timer delays the end of the process, and no timer of an injected clock is left',
    members: ['close'],
    async check(stage) {
      const { harness } = stage
      const before = harness.clock?.timers ?? 0
      const watch = new TimerWatch()
      try {
        await watch.run(async () => {
          const handle = await stage.opened(harness.openSecond ? harness.openSecond() : harness.open())
          await useAndClose(stage, handle)
        })
        const end = performance.now() + lateEffect
        while (watch.left > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
        assert(watch.left === 0, `${lateEffect} ms after close, ${watch.left} timers keep the process alive`)
      } finally {
        watch.stop()
      }
      const timers = (harness.clock?.timers ?? 0) - before
      assert(timers <= 0, `after close, ${timers} timers of the injected clock are left`)
    },
  }),

  rule({
    id: '10.16',
    says: 'a second outage is like the first: calls reject within the bound, and the same handle works again afterwards',
    means: ['break', 'heal'],
    async check(stage) {
      const { backend, harness } = stage
      const bound = harness.failureBound ?? 2000
      for (let round = 1; round <= 3; round += 1) {
        const item = stage.item('kept', round)
        await backend.set(item)
        await harness.break()
        try {
          for (const [name, call] of everyOperation(backend, stage)) {
            await stage.within(bound, () => stage.rejects(call, ...outageCodes), `${name} in outage ${round}`)
          }
        } finally {
          await harness.heal()
        }
        await recovers(stage, backend)
        if (backend.keys) await collect(backend.keys())
        const next = stage.item('next', round)
        await backend.set(next)
        await stage.holds(next)
      }
    },
  }),
]

/** Waits until the handle works again, by a write of a key that no rule uses otherwise. */
async function recovers(stage: Pick<Stage, 'until' | 'item'>, backend: CacheBackend): Promise<void> {
  const sets = async (): Promise<boolean> =>
    !((await outcome(() => backend.set(stage.item('probe', 1)))) instanceof Error)
  // Calls may go to two handles in turn, each with a circuit of its own.
  const works = async (): Promise<boolean> => (await sets()) && (await sets())
  await stage.until(works, 'the handle to work again')
}

/** Runs the check again and again for some milliseconds. */
async function throughout(ms: number, check: () => Promise<void>): Promise<void> {
  const end = performance.now() + ms
  do {
    await check()
    await new Promise((resolve) => setTimeout(resolve, 20))
  } while (performance.now() < end)
  await check()
}

/** Resolves to the result, or to the error. */
async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    return error instanceof Error ? error : new Error(`rejected with ${show(error)}`)
  }
}

/** Calls that may start timers, and `close`. */
async function useAndClose(stage: Pick<Stage, 'item' | 'now' | 'close'>, handle: CacheBackend): Promise<void> {
  const stop = handle.listen?.(() => {})
  const now = stage.now()
  for (let n = 0; n < 20; n += 1) {
    await handle.set(stage.item(`k${n}`, n, { expiresAt: now + 3_600_000 + n }))
    await handle.set(stage.item(`s${n}`, n, { expiresAt: now + 5000 + n, staleAt: now + 10 }))
  }
  if (handle.increment) await handle.increment('n', 1, now + 3_600_000)
  const dated = stage.item('c', 1, { expiresAt: now + 3_600_000 })
  if (handle.compareAndSet) await handle.compareAndSet('c', undefined, dated)
  if (handle.setMany) await handle.setMany([stage.item('m', 1, { expiresAt: now + 3_600_000 })])
  if (handle.getMany) await handle.getMany(['m', 'c', 'none'])
  if (handle.keys) for await (const _ of handle.keys()) break
  await handle.stats?.()
  await handle.delete('k1')
  await stage.close(handle)
  stop?.()
}
