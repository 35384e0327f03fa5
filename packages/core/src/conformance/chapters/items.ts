import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { valueRules } from '../every-call/value-rules.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { createRandom } from '../samples/random.ts'
import { emptySamples, isKept, richSamples, type Sample } from '../samples/samples.ts'
import { assertItem } from '../stage/assert-item.ts'
import { show } from '../stage/show.ts'
import type { Stage } from '../stage/stage.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '1.1',
    says: '`get` resolves to `undefined` for a key that was never set',
    async check(stage) {
      for (const key of ['k', '', 'constructor', '__proto__', 'toString']) await stage.lacks(key)
      await stage.backend.set(stage.item('other', 1))
      for (const key of ['k', 'othe', 'other ', 'constructor']) await stage.lacks(key)
    },
  }),

  rule({
    id: '1.2',
    says: '`get` resolves to the item that was set, member by member; members that were not given are absent',
    async check(stage) {
      const full = stage.item('full', { name: 'Ada' }, everyMember(stage.now()))
      const least = { key: 'least', value: 'v', version: 'v1', createdAt: 0 }
      const odd = stage.item('odd', 'v', { version: '~!@#$%^&*()[]{}:;,.<>/?|', cost: 0, tags: {} })
      const fraction = stage.item('fraction', 'v', { cost: 1.5 })
      const all = [full, least, odd, fraction]
      // Frozen: a backend must not write into an item of its caller.
      for (const item of all) await stage.backend.set(Object.freeze(item))
      for (const item of all) await stage.holds(item)
      for (const item of all) await stage.holds(item)
    },
  }),

  rule({
    id: '1.3',
    says: '`set` replaces the whole item: no deadline, tag or cost of the old one remains',
    async check(stage) {
      const deadline = stage.soon()
      const old = stage.item('k', { a: 1 }, { ...everyMember(stage.now()), expiresAt: deadline })
      const next = stage.item('k', { b: 2 })
      await stage.backend.set(old)
      await stage.backend.set(next)
      await stage.holds(next)
      await stage.pass(deadline)
      await stage.holds(next)
    },
  }),

  rule({
    id: '1.4',
    says: '`null`, `false`, `0`, `NaN` where it is kept, and an empty string, object or array are values, not misses',
    async check(stage) {
      await keepsOrRefuses(stage, emptySamples)
    },
  }),

  rule({
    id: '1.5',
    says: 'a value comes back unchanged, or `set` rejects with `NOT_STORABLE` and the old item stays',
    async check(stage) {
      await keepsOrRefuses(stage, richSamples)
    },
  }),

  rule({
    id: '1.6',
    says: 'a value of one megabyte comes back unchanged',
    async check(stage) {
      const random = createRandom(16)
      const bytes = Uint8Array.from({ length: 1_048_576 }, () => random.below(256))
      const text = Buffer.from(bytes.buffer).toString('latin1')
      const item = stage.item('text', text)
      await stage.backend.set(item)
      await stage.backend.set(stage.item('other', 1))
      const found = await stage.backend.get('text')
      assert(found !== undefined, 'one megabyte of text is gone')
      assert(found.value === text, 'one megabyte of text came back changed')
      await keepsOrRefuses(stage, [
        { says: 'one megabyte of bytes', kind: 'bytes', make: () => Uint8Array.from(bytes) },
      ])
    },
  }),

  rule({
    id: '1.7',
    says: '`set` of a value that the backend cannot keep rejects with `NOT_STORABLE` before anything is written',
    async check(stage) {
      const named = (): number => 1
      for (const value of [named, Symbol('s'), { inside: named }, [named], new WeakMap(), Promise.resolve(1)]) {
        const old = stage.item('k', 'old')
        await stage.backend.set(old)
        const item = stage.item('k', value)
        if (stage.harness.values === 'copies') {
          await stage.rejects(() => stage.backend.set(item), 'NOT_STORABLE')
          await stage.holds(old)
        } else if (await refused(() => stage.backend.set(item))) await stage.holds(old)
        else await stage.holds(item)
      }
    },
  }),

  rule({
    id: '1.8',
    says: 'a placeholder is stored and returned as an item whose value is `undefined`, with its version and deadline',
    async check(stage) {
      const held = stage.placeholder('k', { expiresAt: stage.now() + 60_000 })
      await stage.backend.set(held)
      const found = await stage.backend.get('k')
      assert(found !== undefined, 'a placeholder is gone')
      assertItem({ ...found, value: found.value }, held)
      const item = stage.item('k', 'value')
      await stage.backend.set(item)
      await stage.holds(item)
    },
  }),

  rule({
    id: '1.9',
    says: 'a change to a value after `set` or `get` never reaches the stored value, where the store keeps copies',
    async check(stage) {
      if (stage.harness.values === 'references') stage.skip('the harness states that the store keeps references')
      const given = stage.item('k', makeMutable())
      const expected = { ...given, value: makeMutable() }
      await stage.backend.set(given)
      spoil(given.value)
      await stage.holds(expected)
      spoil((await stage.backend.get('k'))?.value)
      await stage.holds(expected)
      if (stage.backend.getMany) spoil((await stage.backend.getMany(['k']))[0]?.value)
      await stage.holds(expected)
    },
  }),

  rule({
    id: '1.10',
    says: 'tags keep their names and versions, with any characters',
    async check(stage) {
      const tags = { 'a:b': 'v1', '': 'v2', 'ü "quoted" \u0000': 'v3', constructor: 'v4', '@#app/:t': 'v5' }
      const item = stage.item('k', 1, { tags })
      await stage.backend.set(item)
      await stage.holds(item)
    },
  }),

  rule({
    id: '1.11',
    says: '`compareAndSet`, `setMany` and `getMany` treat values as `set` and `get` do',
    async check(stage) {
      const { backend, harness } = stage
      const writes = otherWrites(backend)
      if (writes.length === 0) stage.skip("the backend has neither 'compareAndSet' nor 'setMany'", 'compareAndSet')
      const large: Sample = { says: 'a megabyte of text', make: () => 'large'.repeat(210_000) }
      const faults: string[] = []
      for (const sample of [...emptySamples, ...richSamples, large]) {
        const isRefused = await refused(() => backend.set(stage.item('k', sample.make())))
        for (const [name, write] of writes) {
          try {
            await backend.delete('k')
            const item = stage.item('k', sample.make())
            assert.equal(
              await refused(() => write(item)),
              isRefused,
              'whether it rejects with NOT_STORABLE, as set does',
            )
            if (isRefused) continue
            const expected = { ...item, value: sample.make() }
            await stage.holds(expected)
            if (backend.getMany) assertItem((await backend.getMany(['k']))[0], expected)
          } catch (error) {
            faults.push(`${sample.says} through ${name}: ${show(error)}`)
          }
        }
      }
      if (faults.length > 0) throw new assert.AssertionError({ message: faults.join('\n') })
      if (harness.values === 'references') return
      for (const [name, write] of writes) {
        await backend.delete('k')
        const given = stage.item('k', makeMutable())
        const expected = { ...given, value: makeMutable() }
        await write(given)
        spoil(given.value)
        const found = await backend.get('k')
        assert(found !== undefined, `${name} stored nothing`)
        assertItem(found, expected)
      }
    },
  }),
]

export const items: Chapter = { title: '1 Items', rules: [...rules, ...valueRules] }

function everyMember(now: number): { staleAt: number; expiresAt: number; tags: Record<string, string>; cost: number } {
  return { staleAt: now + 30_000, expiresAt: now + 60_000, tags: { red: 'r1', blue: 'b1' }, cost: 12 }
}

type SampleStage = Pick<Stage, 'backend' | 'harness' | 'item' | 'holds'>

/** Tries every sample before it fails, and then lists all that were neither kept nor refused. */
async function keepsOrRefuses(stage: SampleStage, samples: readonly Sample[]): Promise<void> {
  const faults: string[] = []
  for (const sample of samples) {
    try {
      await keepsOrRefusesOne(stage, sample)
    } catch (error) {
      faults.push(`${sample.says}: ${show(error)}`)
    }
  }
  if (faults.length > 0) throw new assert.AssertionError({ message: faults.join('\n') })
}

async function keepsOrRefusesOne(stage: SampleStage, sample: Sample): Promise<void> {
  const old = stage.item('k', 'old')
  await stage.backend.set(old)
  const item = stage.item('k', sample.make())
  if (!(await refused(() => stage.backend.set(item)))) return await stage.holds({ ...item, value: sample.make() })
  assert(!isKept(sample, stage.harness.keeps), 'set rejected with NOT_STORABLE a value that the backend must keep')
  await stage.holds(old)
}

/** Whether the write rejected with `NOT_STORABLE`. Any other rejection is an error. */
async function refused(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write()
    return false
  } catch (error) {
    if (cacheErrorCode(error) === 'NOT_STORABLE') return true
    throw error
  }
}

type Write = (item: Item) => Promise<unknown>

/** The writes besides `set`, each for a key that is empty. */
function otherWrites(backend: CacheBackend): readonly (readonly [name: string, write: Write])[] {
  const writes: [string, Write][] = []
  if (backend.compareAndSet) {
    writes.push(['compareAndSet', async (item) => backend.compareAndSet?.(item.key, undefined, item)])
  }
  if (backend.setMany) writes.push(['setMany', async (item) => backend.setMany?.([item])])
  return writes
}

function makeMutable(): { list: number[]; inner: { n: number } } {
  return { list: [1], inner: { n: 1 } }
}

function spoil(value: unknown): void {
  const spoiled = value as { list: number[]; inner: { n: number } }
  try {
    spoiled.list.push(2)
    spoiled.inner.n = 2
  } catch {
    // Frozen values keep the promise, too.
  }
}
