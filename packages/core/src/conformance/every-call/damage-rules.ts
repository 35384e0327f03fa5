import assert from 'node:assert/strict'
import type { BackendEvent } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Awaitable, Damage } from '../harness/harness.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertItem } from '../stage/assert-item.ts'
import { assertSame } from '../stage/assert-same.ts'
import { collect } from '../stage/collect.ts'
import { Faults } from '../stage/faults.ts'
import { readsOf } from '../stage/reads-of.ts'
import { reportsDamage } from '../stage/reports-damage.ts'
import { show } from '../stage/show.ts'
import type { Stage } from '../stage/stage.ts'
import { writesOf } from '../stage/writes-of.ts'

const damages: readonly Damage[] = ['garbage', 'truncated', 'empty']

/** The calls after which a read finds no bytes, and emits no event. */
const removing = ['delete', 'deleteMany', 'clear with a prefix']

/** 9.7 and 9.8: unreadable bytes, through every call. */
export const damageRules: readonly Rule[] = [
  rule({
    id: '9.7',
    says: 'every call treats bytes of a later format version like damaged bytes',
    means: ['futureFormat'],
    async check(stage) {
      await everyCallTreatsAsAbsent(stage, 'a later format', (key) => stage.harness.futureFormat(key))
    },
  }),

  rule({
    id: '9.8',
    says: 'every call treats a damaged item as an absent one, and leaves other items alone',
    means: ['corrupt'],
    async check(stage) {
      for (const kind of damages) {
        await everyCallTreatsAsAbsent(stage, `${kind} bytes`, (key) => stage.harness.corrupt(key, kind))
      }
    },
  }),
]

/** `harm` makes the stored bytes of a key unreadable. */
async function everyCallTreatsAsAbsent(
  stage: Pick<Stage, 'backend' | 'item' | 'holds' | 'lacks' | 'until'>,
  what: string,
  harm: (key: string) => Awaitable<void>,
): Promise<void> {
  const { backend } = stage
  const events: BackendEvent[] = []
  const stop = backend.listen?.((event) => events.push(event))
  const faults = new Faults()
  const calls: [name: string, work: () => Promise<unknown>][] = [
    ['get', () => stage.lacks('k')],
    ['delete', () => backend.delete('k')],
    ['clear with a prefix', () => backend.clear('k')],
    ...writesOf(backend).map(({ name, store }): (typeof calls)[number] => [
      name,
      async () => {
        const next = stage.item('k', { next: name }, { tags: { t: 'v' } })
        await store(next)
        await stage.holds(next)
        for (const read of readsOf(backend)) assertItem(await read.find('k'), next)
        await backend.delete('k')
      },
    ]),
  ]
  if (backend.getMany) {
    calls.push([
      'getMany',
      async () => {
        const [first, found, again, last] = await (backend.getMany?.(['a', 'k', 'k', 'z']) ?? [])
        assertSame([found, again], [undefined, undefined], 'getMany at the places of the key')
        assertSame([first?.value, last?.value], [{ of: 'a' }, { of: 'z' }], 'getMany at the other places')
      },
    ])
  }
  if (backend.deleteMany) {
    calls.push(['deleteMany', async () => backend.deleteMany?.(['k', 'none'])])
  }
  if (backend.compareAndSet) {
    const next = stage.item('k', 'by compareAndSet')
    calls.push(
      [
        'compareAndSet to undefined',
        async () =>
          assertSame(await backend.compareAndSet?.('k', undefined, undefined), true, 'compareAndSet to undefined'),
      ],
      [
        'compareAndSet with another version',
        async () =>
          assertSame(await backend.compareAndSet?.('k', 'other', next), false, 'compareAndSet with another version'),
      ],
    )
  }
  if (backend.increment) {
    calls.push([
      'increment',
      async () => {
        const answer = await backend.increment?.('k', 3).catch((error: unknown) => error)
        const code = cacheErrorCode(answer)
        assert(answer === 3 || code === 'NOT_A_NUMBER' || code === 'DAMAGED', `increment gave ${show(answer)}`)
        if (answer === 3) assertSame((await backend.get('k'))?.value, 3, 'the value of the counter')
        await backend.delete('k')
        assertSame(await backend.increment?.('k', 1), 1, 'increment after a delete')
        await backend.delete('k')
      },
    ])
  }
  if (backend.keys) {
    calls.push([
      'keys',
      async () => {
        const found = await collect(backend.keys?.())
        assert(found.includes('a') && found.includes('z'), `keys yields ${show(found)}`)
      },
    ])
  }
  for (const [name, work] of calls) {
    await faults.attempt(`${name} of ${what}`, async () => {
      for (const key of ['a', 'k', 'z']) await backend.set(stage.item(key, { of: key }))
      await harm('k')
      events.length = 0
      await work()
      events.splice(0, name === 'get' || name === 'getMany' ? 0 : events.length)
      await stage.lacks('k')
      const isLeft = removing.includes(name) && reportsDamage(events, 'k')
      assert(!isLeft, `the unreadable bytes are still there after ${name}`)
      if (stop && (name === 'get' || name === 'getMany')) {
        await stage.until(() => reportsDamage(events, 'k'), `an error event of code DAMAGED after ${name}`)
      }
      for (const key of ['a', 'z'])
        assertSame((await backend.get(key))?.value, { of: key }, `the value of ${show(key)}`)
      // After any of the calls, the key can be used.
      const again = stage.item('k', 'again')
      await backend.set(again)
      await stage.holds(again)
    })
  }
  stop?.()
  faults.report()
}
