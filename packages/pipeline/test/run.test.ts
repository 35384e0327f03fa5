import { Cache } from '@cache/core'
import { describe, expect, it } from 'vitest'
import { input, pipeline } from '../src/index.ts'
import { counting, gate, keysOf, openCache, partOf } from './rig.ts'

/** The result and reason of each node of a report, by name. */
function outcomes(report: { readonly nodes: readonly { node: string; result: string; reason?: string }[] }): object {
  return Object.fromEntries(report.nodes.map(({ node, result, reason }) => [node, reason ?? result]))
}

describe('a run', () => {
  it('computes each node once, and reads only the result of its target afterwards', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { n: input<number>() } })
    const double = counting(({ n }: { n: number }) => 2 * n)
    const text = counting(({ twice }: { twice: number }) => `n is ${twice}`)
    const twice = p.node('twice', { version: '1' }, double)
    const shown = p.node('shown', { version: '1', deps: { twice } }, text)
    const first = await p.run(shown, { n: 4 })
    expect(first.value).toBe('n is 8')
    expect(outcomes(first.report)).toEqual({ twice: 'absent', shown: 'absent' })
    const reads: string[] = []
    cache.on('hit', ({ key }) => reads.push(key.split(':')[0] ?? ''))
    const second = await p.run(shown, { n: 4 })
    expect(second.value).toBe('n is 8')
    expect(outcomes(second.report)).toEqual({ twice: 'hit', shown: 'hit' })
    expect(reads.sort()).toEqual(['blob', 'record', 'record'])
    expect([double.calls.length, text.calls.length]).toEqual([1, 1])
  })

  it('names the reason for each node that it computes', async () => {
    const { cache } = openCache()
    const open = (model: string, version: string) => {
      const p = pipeline({ name: 'p', cache, env: { model }, inputs: { n: input<number>() } })
      const one = p.node('one', { version }, ({ n }) => n + Number(version))
      return { p, two: p.node('two', { version: '1', deps: { one } }, ({ one }, { env }) => `${one} ${env.model}`) }
    }
    const before = open('x', '1')
    await before.p.run(before.two, { n: 1 })
    expect(outcomes((await before.p.run(before.two, { n: 2 })).report)).toEqual({ one: 'input:n', two: 'dep:one' })
    const code = open('x', '2')
    expect(outcomes((await code.p.run(code.two, { n: 2 })).report)).toEqual({ one: 'code', two: 'dep:one' })
    const env = open('y', '2')
    expect(outcomes((await env.p.run(env.two, { n: 2 })).report)).toEqual({ one: 'env', two: 'env' })
  })

  it('does not recompute the dependents of a node that returns its earlier result', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { words: input<string[]>() } })
    const sorted = p.node('sorted', { version: '1' }, ({ words }) => [...words].sort())
    const joined = p.node('joined', { version: '1', deps: { sorted } }, ({ sorted }) => sorted.join())
    await p.run(joined, { words: ['b', 'a'] })
    const { value, report } = await p.run(joined, { words: ['a', 'b'] })
    expect(value).toBe('a,b')
    expect(outcomes(report)).toEqual({ sorted: 'input:words', joined: 'hit' })
  })

  it('computes a node again when its ttl is over, and no other node', async () => {
    const { cache, pass } = openCache()
    const p = pipeline({ name: 'p', cache })
    const load = counting(() => 'page')
    const page = p.node('page', { version: '1', ttl: '1m' }, load)
    const size = p.node('size', { version: '1', deps: { page } }, ({ page }) => page.length)
    await p.run(size)
    pass(59_999)
    expect(outcomes((await p.run(size)).report)).toEqual({ page: 'hit', size: 'hit' })
    pass(1)
    expect(outcomes((await p.run(size)).report)).toEqual({ page: 'expired', size: 'hit' })
    expect(load.calls.length).toBe(2)
  })

  it('keeps results for ever by default, whatever the lifetimes of the cache are', async () => {
    const { cache, pass } = openCache({ ttl: '1s', staleFor: '1s', refreshAhead: 0.1, earlyExpiry: 1, jitter: 0.5 })
    const p = pipeline({ name: 'p', cache })
    const one = p.node('one', { version: '1' }, () => 1)
    await p.run(one)
    pass(10 * 365 * 86_400_000)
    expect(outcomes((await p.run(one)).report)).toEqual({ one: 'hit' })
  })

  it('computes refreshed nodes although they have a result, and fails where they fail', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    let price = 1
    const load = p.node('load', { version: '1' }, () => {
      if (price < 0) throw new Error('no price')
      return price
    })
    const shown = p.node('shown', { version: '1', deps: { load } }, ({ load }) => `${load} EUR`)
    await p.run(shown)
    price = 2
    expect((await p.run(shown)).value).toBe('1 EUR')
    const { value, report } = await p.run(shown, {}, { refresh: [load] })
    expect(value).toBe('2 EUR')
    expect(outcomes(report)).toEqual({ load: 'forced', shown: 'dep:load' })
    price = -1
    await expect(p.run(shown, {}, { refresh: [load] })).rejects.toThrow('no price')
    expect((await p.run(shown)).value).toBe('2 EUR')
  })

  it('keeps undefined and null as results', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const nothing = p.node('nothing', { version: '1' }, () => undefined)
    const none = p.node('none', { version: '1' }, () => null)
    const both = p.node('both', { version: '1', deps: { nothing, none } }, ({ nothing, none }) => [nothing, none])
    for (const result of ['absent', 'hit']) {
      expect(outcomes((await p.run(nothing)).report)).toEqual({ nothing: result })
      expect((await p.run(nothing)).value).toBe(undefined)
      expect((await p.run(none)).value).toBe(null)
      expect((await p.run(both)).value).toEqual([undefined, null])
    }
  })

  it('lets no more functions run at the same time than `concurrency`', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, concurrency: 2 })
    const { opened, open } = gate()
    const running = gate()
    let now = 0
    let most = 0
    const deps = Object.fromEntries(
      Array.from({ length: 6 }, (_, index) => {
        const node = p.node(`n${index}`, { version: '1', deps: {} }, async () => {
          now += 1
          most = Math.max(most, now)
          if (now === 2) running.open()
          await opened
          now -= 1
          return index
        })
        return [`n${index}`, node]
      }),
    )
    const all = p.node('all', { version: '1', deps }, (values) => Object.keys(values).length)
    const result = p.run(all)
    await running.opened
    // Further functions would have begun by now: their nodes are all looked up.
    await new Promise(setImmediate)
    open()
    expect((await result).value).toBe(6)
    expect(most).toBe(2)
  })

  it('shares a running function with another run of the process', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const { opened, open } = gate()
    const slow = counting(async () => {
      await opened
      return 'done'
    })
    const node = p.node('slow', { version: '1' }, slow)
    const both = Promise.all([p.run(node), p.run(node)])
    open()
    const results = await both
    expect(results.map(({ value }) => value)).toEqual(['done', 'done'])
    expect(results.map(({ report }) => report.nodes[0]?.result).sort()).toEqual(['hit', 'miss'])
    expect(slow.calls.length).toBe(1)
  })

  it('reports its progress', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const list = p.node('list', { version: '1' }, () => [1, 2])
    const more = p.map('more', { version: '1', over: list }, (n) => n + 1)
    const steps: unknown[] = []
    await p.run(more, {}, { onProgress: (step) => steps.push(step) })
    expect(steps).toEqual([
      { node: 'list', step: 'started', done: 0, total: 2 },
      { node: 'list', step: 'computed', done: 1, total: 2 },
      { node: 'more', step: 'started', items: { done: 0, total: 2 }, done: 1, total: 2 },
      { node: 'more', step: 'item', items: { done: 1, total: 2 }, done: 1, total: 2 },
      { node: 'more', step: 'item', items: { done: 2, total: 2 }, done: 1, total: 2 },
      { node: 'more', step: 'computed', done: 2, total: 2 },
    ])
    steps.length = 0
    await p.run(more, {}, { onProgress: (step) => steps.push(step) })
    expect(steps).toEqual([
      { node: 'list', step: 'hit', done: 1, total: 2 },
      { node: 'more', step: 'hit', done: 2, total: 2 },
    ])
  })

  it('walks a chain of 10,000 nodes without a deep stack', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    let last = p.node('n0', { version: '1' }, () => 0)
    for (let index = 1; index < 10_000; index += 1) {
      const deps = { before: last }
      last = p.node(`n${index}`, { version: '1', deps }, ({ before }) => before + 1)
    }
    expect((await p.run(last)).value).toBe(9_999)
  })

  it('uses one cache for records and another for results', async () => {
    const meta = openCache().cache
    const blobs = openCache().cache
    const p = pipeline({ name: 'p', cache: { meta, blobs } })
    const one = p.node('one', { version: '1' }, () => 'result')
    await p.run(one)
    expect(await keysOf(partOf(blobs))).toEqual([expect.stringMatching(/^blob:/)])
    expect(await keysOf(partOf(meta))).toEqual(['latest:one', expect.stringMatching(/^record:/)])
    expect(outcomes((await p.run(one)).report)).toEqual({ one: 'hit' })
    await p.clear()
    expect(await keysOf(meta)).toEqual([])
    expect(await keysOf(blobs)).toEqual([])
  })

  it('stores equal results once', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const one = p.node('one', { version: '1' }, () => ({ a: 1, b: 2 }))
    const two = p.node('two', { version: '1' }, () => ({ b: 2, a: 1 }))
    await p.run(one)
    await p.run(two)
    expect(await keysOf(partOf(cache), 'blob:')).toHaveLength(1)
  })

  it('never uses the results of another pipeline or node, and `clear` leaves those of other pipelines', async () => {
    const { cache } = openCache()
    const results = await Promise.all(
      ['p', 'p2'].map(async (name) => {
        const p = pipeline({ name, cache })
        const one = p.node('one', { version: '1' }, () => `${name} one`)
        const two = p.node('two', { version: '1' }, () => `${name} two`)
        return { p, one, values: [(await p.run(one)).value, (await p.run(two)).value] }
      }),
    )
    expect(results.map(({ values }) => values)).toEqual([
      ['p one', 'p two'],
      ['p2 one', 'p2 two'],
    ])
    const [first, second] = results
    await first?.p.clear()
    expect(outcomes((await first?.p.run(first.one))?.report ?? { nodes: [] })).toEqual({ one: 'absent' })
    expect(outcomes((await second?.p.run(second.one))?.report ?? { nodes: [] })).toEqual({ one: 'hit' })
  })

  it('never mixes the results of old and new code that run at the same time', async () => {
    const { cache } = openCache()
    const make = (version: string, begun: () => void, opened: Promise<void>) => {
      const p = pipeline({ name: 'p', cache })
      const one = p.node('one', { version }, async () => {
        begun()
        await opened
        return version
      })
      return p.run(p.node('two', { version: '1', deps: { one } }, ({ one }) => `by ${one}`))
    }
    const { opened, open } = gate()
    const begun = [gate(), gate()]
    const runs = ['old', 'new'].map((version, index) => make(version, () => begun[index]?.open(), opened))
    await Promise.all(begun.map((one) => one.opened))
    open()
    expect((await Promise.all(runs)).map(({ value }) => value)).toEqual(['by old', 'by new'])
  })

  it('works without the cache while its backend fails', async () => {
    const down = (): Promise<never> => Promise.reject(new Error('down'))
    const backend = { name: 'down', get: down, set: down, delete: down, clear: down }
    const cache = new Cache({ backend })
    cache.on('error', () => {})
    const p = pipeline({ name: 'p', cache })
    const lost: string[] = []
    p.on('notStored', ({ node }) => lost.push(node))
    const list = p.node('list', { version: '1' }, () => [1, 2])
    const more = p.map('more', { version: '1', over: list }, (n) => n + 1)
    const { value, report } = await p.run(more)
    expect(value).toEqual([2, 3])
    expect(report.hits).toBe(0)
    expect(new Set(lost)).toEqual(new Set(['list', 'more']))
  })
})
