import assert from 'node:assert/strict'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { forbiddenSamples } from '../samples/forbidden-samples.ts'
import { createRandom } from '../samples/random.ts'
import { plainSamples, rareSamples } from '../samples/rare-samples.ts'
import { isKept, type Sample } from '../samples/samples.ts'
import { assertItem } from '../stage/assert-item.ts'
import { Faults } from '../stage/faults.ts'
import { readsOf } from '../stage/reads-of.ts'
import type { Stage } from '../stage/stage.ts'
import { writesOf } from '../stage/writes-of.ts'

const megabyte = 1_048_576

/** Microtasks between a write and a read that it must not disturb. */
const fineLeads: readonly number[] = Array.from({ length: 30 }, (_, n) => n)
const coarseLeads: readonly number[] = [0, 1, 3, 8, 15]

/** Values that can be changed in place, and the change. */
const mutables: readonly { readonly says: string; make(): unknown; spoil(value: never): void }[] = [
  { says: 'a list', make: () => [1, 2], spoil: (list: number[]) => list.push(3) },
  {
    says: 'an object in a list',
    make: () => [{ n: 1 }],
    spoil: ([inner]: [{ n: number }]) => Object.assign(inner, { n: 2 }),
  },
  {
    says: 'an object in an object',
    make: () => ({ in: { n: 1 } }),
    spoil: (value: { in: { n: number } }) => Object.assign(value.in, { n: 2 }),
  },
  {
    says: 'an object that loses a member',
    make: () => ({ a: 1, b: 2 }),
    spoil: (value: { a?: number }) => Reflect.deleteProperty(value, 'a'),
  },
  { says: 'a date', make: () => new Date(5), spoil: (date: Date) => date.setTime(6) },
  { says: 'a date in an object', make: () => ({ at: new Date(5) }), spoil: ({ at }: { at: Date }) => at.setTime(6) },
  { says: 'a map', make: () => new Map([['a', 1]]), spoil: (map: Map<string, number>) => map.set('a', 2) },
  { says: 'a set', make: () => new Set(['a']), spoil: (set: Set<string>) => set.add('b') },
  { says: 'bytes', make: () => Uint8Array.from([1, 2, 3]), spoil: (bytes: Uint8Array) => bytes.fill(9) },
  {
    says: 'bytes in an object',
    make: () => ({ image: Uint8Array.from([1, 2]) }),
    spoil: ({ image }: { image: Uint8Array }) => image.fill(9),
  },
  {
    says: 'a hundred thousand bytes',
    make: () => new Uint8Array(100_000),
    spoil: (bytes: Uint8Array) => bytes.fill(9),
  },
]

/** 1.12 to 1.17: values, through every call. */
export const valueRules: readonly Rule[] = [
  rule({
    id: '1.12',
    says: 'a value that many encodings change comes back unchanged, or every write rejects with `NOT_STORABLE`',
    async check(stage) {
      await keepOrRefuse(stage, [...plainSamples, ...rareSamples])
    },
  }),

  rule({
    id: '1.13',
    says: 'a value that holds a function, a symbol or a promise at any depth is rejected with `NOT_STORABLE` by every write',
    async check(stage) {
      await keepOrRefuse(stage, forbiddenSamples, stage.harness.values === 'copies')
    },
  }),

  rule({
    id: '1.14',
    says: 'a change to a list, date, map, set, bytes or tags after any write or read never reaches the stored item, where the store keeps copies',
    async check(stage) {
      if (stage.harness.values === 'references') stage.skip('the harness states that the store keeps references')
      const faults = new Faults()
      for (const { says, make, spoil } of mutables) {
        for (const { name, store } of writesOf(stage.backend)) {
          await faults.attempt(`${says} through ${name}`, async () => {
            const given = stage.item('k', make(), { tags: { t: 'v' } })
            const expected = { ...given, value: make(), tags: { t: 'v' } }
            if (await isRefused(() => store(given))) return
            change(given, spoil)
            await stage.holds(expected)
            for (const read of readsOf(stage.backend)) {
              const found = await read.find('k')
              if (found !== undefined) change(found, spoil)
              await faults.attempt(`${says} through ${name}, after ${read.name}`, () => stage.holds(expected))
            }
          })
        }
      }
      faults.report()
    },
  }),

  rule({
    id: '1.15',
    says: 'tags of any name, and in any number, come back from every read after every write',
    async check(stage) {
      const names = [
        '',
        ' ',
        'a',
        'A',
        'a ',
        'a,b',
        'a;b',
        'a=b',
        'a|b',
        'a:b',
        'a/b',
        'a\\b',
        'a"b',
        "a'b",
        'a\nb',
        'a\u0000b',
      ]
      names.push(
        '{a}',
        '[a]',
        '%',
        '_',
        '*',
        'é',
        'e\u0301',
        '漢字',
        '👩‍👩‍👧',
        '0',
        '1',
        '01',
        '-1',
        'length',
        'toString',
        '__proto__',
      )
      const odd = Object.fromEntries(names.map((name, n) => [name, `v${n}`]))
      const versions = Object.fromEntries(
        ['a,b', 'a=b', 'a:b', 'a b', '{"a":1}', '~!@#$%^&*()', 'v'.repeat(64)].map((version, n) => [`t${n}`, version]),
      )
      const long = Object.fromEntries(['a', 'b'].map((end, n) => [`${'t'.repeat(300)}${end}`, `v${n}`]))
      const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`tag ${n}`, `version ${n}`]))
      const faults = new Faults()
      for (const [says, tags] of Object.entries({
        'odd names': odd,
        'odd versions': versions,
        'long names': long,
        'three hundred tags': many,
      })) {
        for (const { name, store } of writesOf(stage.backend)) {
          await faults.attempt(`${says} through ${name}`, async () => {
            const item = stage.item('k', 1, { tags })
            await store(item)
            for (const read of readsOf(stage.backend)) assertItem(await read.find('k'), item)
          })
        }
        if (stage.backend.increment) {
          await faults.attempt(`${says} through increment`, async () => {
            await stage.backend.set(stage.item('n', 1, { tags }))
            await stage.backend.increment?.('n', 1)
            const found = await stage.backend.get('n')
            assertItem(found, { ...stage.item('n', 2, { tags }), ...chosenByStore(found) })
          })
        }
      }
      faults.report()
    },
  }),

  rule({
    id: '1.16',
    says: 'values of one and of four megabytes come back unchanged from every read after every write',
    async check(stage) {
      const random = createRandom(116)
      const bytes = Uint8Array.from({ length: megabyte }, () => random.below(256))
      const text = Buffer.from(bytes.buffer).toString('latin1')
      const large: readonly Sample[] = [
        { says: 'one megabyte of text', make: () => text },
        { says: 'four megabytes of text', make: () => text.repeat(4) },
        { says: 'a million characters of three bytes', make: () => '漢'.repeat(1_000_000) },
        {
          says: 'one megabyte in ten thousand objects',
          make: () => Array.from({ length: 10_000 }, (_, n) => ({ n, text: text.slice(n, n + 90) })),
        },
        { says: 'one megabyte of bytes', kind: 'bytes', make: () => Uint8Array.from(bytes) },
        { says: 'one megabyte of bytes in an object', kind: 'bytes', make: () => ({ bytes: Uint8Array.from(bytes) }) },
      ]
      await keepOrRefuse(stage, large)
      const { setMany, getMany } = stage.backend
      if (!setMany || !getMany) return
      const items = Array.from({ length: 6 }, (_, n) => stage.item(`large ${n}`, `${n}${text}`))
      await setMany.call(stage.backend, items)
      const found = await getMany.call(
        stage.backend,
        items.map((item) => item.key),
      )
      for (const [n, item] of items.entries()) {
        assert(found[n] !== undefined, `a batch of six megabytes lost ${item.key}`)
        assert(found[n].value === item.value, `a batch of six megabytes changed ${item.key}`)
      }
    },
  }),

  rule({
    id: '1.17',
    says: 'a read during any write finds the whole old item or the whole new item',
    async check(stage) {
      const writer = stage.backend
      const reader = await stage.anotherHandle()
      const faults = new Faults()
      for (const size of [10, 5000, 70_000, 1_200_000]) {
        for (const write of writesOf(writer)) {
          for (const read of readsOf(reader)) {
            const name = `${read.name} during ${write.name} of ${size} characters`
            const key = `${write.name} ${read.name} ${size}`
            await faults.attempt(name, async () => {
              let old = pieces(stage, key, 'a', size)
              await writer.set(old)
              for (const lead of size === 10 ? fineLeads : coarseLeads) {
                const next = pieces(stage, key, String.fromCharCode(98 + (lead % 20)), size + (lead % 2) * 7)
                const writing = write.store(next)
                for (let tick = 0; tick < lead; tick += 1) await null
                const found = await Promise.all([read.find(key), soon(() => read.find(key))])
                await writing
                for (const item of found) assertItem(item, item?.version === next.version ? next : old)
                await stage.holds(next, reader)
                old = next
              }
            })
          }
        }
      }
      faults.report()
    },
  }),
]

type ValueStage = Pick<Stage, 'backend' | 'harness' | 'item' | 'holds'>

/** Tries each sample through every write and every read. All writes must agree on whether they keep a sample. */
async function keepOrRefuse(stage: ValueStage, samples: readonly Sample[], mustRefuse = false): Promise<void> {
  const faults = new Faults()
  for (const sample of samples) {
    let kept: boolean | undefined
    for (const { name, store } of writesOf(stage.backend)) {
      await faults.attempt(`${sample.says} through ${name}`, async () => {
        const old = stage.item('k', 'old')
        await stage.backend.set(old)
        const item = stage.item('k', sample.make())
        const isStored = !(await isRefused(() => store(item)))
        kept ??= isStored
        assert.equal(isStored, kept, `it ${isStored ? 'stores' : 'rejects'} what set ${kept ? 'stores' : 'rejects'}`)
        if (!isStored) {
          assert(mustRefuse || !isKept(sample, stage.harness.keeps), 'it rejects a value that the backend must keep')
          await stage.holds(old)
          return
        }
        assert(!mustRefuse, 'it must reject with NOT_STORABLE')
        const expected = { ...item, value: sample.make() }
        for (const read of readsOf(stage.backend)) assertItem(await read.find('k'), expected)
      })
    }
  }
  faults.report()
}

/** Whether the write rejected with `NOT_STORABLE`. Any other rejection is an error. */
async function isRefused(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write()
    return false
  } catch (error) {
    if (cacheErrorCode(error) === 'NOT_STORABLE') return true
    throw error
  }
}

/** Changes the value and the tags. Frozen ones keep the promise, too. */
function change(item: Item, spoil: (value: never) => void): void {
  const works = [() => spoil(item.value as never), () => Object.assign(item.tags ?? {}, { t: 'changed', added: 'x' })]
  for (const work of works) {
    try {
      work()
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
    }
  }
}

/** The members of a counter that the store chooses. */
function chosenByStore(found: Item | undefined): Partial<Item> {
  return found === undefined ? {} : { version: found.version, createdAt: found.createdAt }
}

function pieces(stage: Pick<Stage, 'item'>, key: string, letter: string, size: number): Item {
  return stage.item(key, letter.repeat(size), { tags: { letter }, cost: letter.charCodeAt(0) })
}

async function soon<Value>(work: () => Promise<Value>): Promise<Value> {
  await new Promise((resolve) => setImmediate(resolve))
  return work()
}
