import type { CacheError } from '@cache/core'
import { describe, expect, it } from 'vitest'
import { input, type PipelineOptions, pipeline } from '../src/index.ts'
import { errorOf, openCache } from './rig.ts'

const refusal = (text: string): object =>
  expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(text) })

describe('an argument that is refused', () => {
  it('of `pipeline` is named', () => {
    const { cache } = openCache()
    const cases: readonly (readonly [object, string])[] = [
      [{ cache }, 'name must be'],
      [{ name: '', cache }, 'name must be'],
      [{ name: 'p' }, 'cache must be'],
      [{ name: 'p', cache: { meta: cache } }, 'cache.blobs must be'],
      [{ name: 'p', cache: { meta: cache, blobs: cache, more: 1 } }, "unknown option 'more'"],
      [{ name: 'p', cache, concurrency: 0 }, 'concurrency must be'],
      [{ name: 'p', cache, lock: 1 }, 'lock must be'],
      [{ name: 'p', cache, inputs: 1 }, 'inputs must be'],
      [{ name: 'p', cache, env: { now: () => 1 } }, 'env has a function at value.now'],
      [{ name: 'p', cache, backend: 1 }, "unknown option 'backend'"],
    ]
    for (const [options, text] of cases)
      expect(() => pipeline(options as PipelineOptions<undefined, Record<never, never>>)).toThrow(refusal(text))
  })

  it('of `node`, `map` and `on` is named', () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const one = p.node('one', {}, () => [1])
    const no = undefined as never
    const calls: readonly (readonly [() => unknown, string])[] = [
      [() => p.node('', {}, () => 1), 'name must be'],
      [() => p.node('x', {}, no), 'fn must be'],
      [() => p.node('x', { version: '' }, () => 1), 'version must be'],
      [() => p.node('x', { ttl: 0 }, () => 1), 'ttl must be'],
      [() => p.node('x', { ttl: -1 }, () => 1), 'ttl must be'],
      [() => p.node('x', { deps: [one] as never }, () => 1), 'deps must be'],
      [() => p.node('x', { deps: { one: no } }, () => 1), 'a node must be'],
      [() => p.node('x', { depth: 1 } as never, () => 1), "unknown option 'depth'"],
      [() => p.map('x', { over: no }, () => 1), 'a node must be'],
      [() => p.map('x', { over: one, key: 1 as never }, () => 1), 'key must be'],
      [() => p.on('hit' as never, () => {}), 'name must be'],
      [() => p.on('damaged', no), 'listener must be'],
    ]
    for (const [call, text] of calls) expect(call).toThrow(refusal(text))
  })

  it('of `run`, `explain` and `collect` is named', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { n: input<unknown>() } })
    const one = p.node('one', { version: '1' }, ({ n }) => n)
    const other = p.node('other', { version: '1' }, () => 1)
    const calls: readonly (readonly [Promise<unknown>, string])[] = [
      [p.run(one, {} as never), "the input 'n' is missing; node 'one' needs it"],
      [p.run(one, { n: 1, m: 2 } as never), "unknown option 'm'"],
      [p.run(one, { n: [() => 1] }), "run: the input 'n' has a function at value[0]"],
      [p.explain(one, { n: Symbol('s') }), "explain: the input 'n' has a symbol at value"],
      [p.run(1 as never, {} as never), 'a node must be'],
      [p.run(one, { n: 1 }, { signal: {} as never }), 'signal must be'],
      [p.run(one, { n: 1 }, { onProgress: 1 as never }), 'onProgress must be'],
      [p.run(one, { n: 1 }, { refresh: one as never }), 'refresh must be'],
      [p.run(one, { n: 1 }, { refresh: [other] }), 'refresh must be'],
      [p.run(one, { n: 1 }, { force: true } as never), "unknown option 'force'"],
      [p.explain(one, { n: 1 }, { signal: 1 } as never), "unknown option 'signal'"],
      [p.collect({ grace: -1 }), 'grace must be'],
    ]
    for (const [call, text] of calls) expect(await errorOf(call)).toEqual(refusal(text))
  })
})

describe('a second node of one name', () => {
  it('is refused, also where an input has the name', () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { n: input<number>() } })
    const one = p.node('one', {}, () => [1])
    for (const call of [
      () => p.node('one', {}, () => 1),
      () => p.map('one', { over: one }, () => 1),
      () => p.node('n', {}, () => 1),
    ])
      expect(call).toThrow(refusal('already has a node'))
  })
})

describe('a dependency', () => {
  it('on a node of another pipeline is refused', () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const q = pipeline({ name: 'q', cache })
    p.node('one', {}, () => 1)
    const foreign = q.node('one', {}, () => 1)
    expect(() => p.node('two', { deps: { foreign } }, () => 1)).toThrow(refusal("depends on 'one'"))
  })

  it('by name may be defined later, and is refused when it is unknown', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const two = p.node('two', { version: '1', deps: { one: 'one' } }, ({ one }) => [one])
    expect(await errorOf(p.run(two))).toEqual(refusal("node 'two' depends on 'one', but the pipeline 'p' has no such"))
    p.node('one', { version: '1' }, () => 1)
    expect((await p.run(two)).value).toEqual([1])
  })

  it('that leads back to its node is refused with the circle', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const a = p.node('a', { deps: { b: 'b' } }, () => 1)
    p.node('b', { deps: { c: 'c' } }, () => 1)
    p.node('c', { deps: { b: 'b' } }, () => 1)
    const self = p.node('self', { deps: { self: 'self' } }, () => 1)
    expect(await errorOf(p.run(a))).toEqual(refusal('nodes depend on each other: b → c → b'))
    expect(await errorOf(p.run(self))).toEqual(refusal('nodes depend on each other: self → self'))
    expect(await errorOf(p.explain(a))).toEqual(refusal('explain: nodes depend on each other'))
  })
})

describe('a value without a hash', () => {
  it('that a function returns is refused with the node', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const bad = p.node('bad', { version: '1' }, () => ({ callback: () => 1 }))
    const list = p.node('list', { version: '1' }, () => [1])
    const items = p.map('items', { version: '1', over: list }, () => Symbol('s'))
    const number = p.node('number', { version: '1' }, () => 1 as unknown as number[])
    const noItems = p.map('noItems', { version: '1', over: number }, () => 1)
    expect(await errorOf(p.run(bad))).toEqual(refusal("node 'bad': its result has a function at value.callback"))
    expect(await errorOf(p.run(items))).toEqual(refusal("map 'items': the result of the item 0 has a symbol at value"))
    expect(await errorOf(p.run(noItems))).toEqual(refusal("map 'noItems': the value of over must be an array"))
  })
})

describe('the text of a function', () => {
  it('identifies its code, with one warning in a process', async () => {
    const warnings: string[] = []
    const onWarning = (warning: Error & { readonly code?: string }): void => {
      if (warning.code === 'PIPELINE_TEXT_HASH') warnings.push(warning.message)
    }
    process.on('warning', onWarning)
    const { cache } = openCache()
    const results = []
    for (const fn of [() => 1, () => 1, () => 2]) {
      const p = pipeline({ name: 'p', cache })
      results.push((await p.run(p.node('one', {}, fn))).report.nodes[0]?.reason)
    }
    await new Promise(setImmediate)
    process.off('warning', onWarning)
    expect(results).toEqual(['absent', undefined, 'code'])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain("node 'one' has no version")
  })

  it('must be there', async () => {
    const { cache } = openCache()
    const p = pipeline({ name: 'p', cache })
    const bound = p.node('bound', {}, (() => 1).bind(undefined))
    const native = p.node('native', {}, Math.random)
    for (const node of [bound, native]) {
      const error = (await errorOf(p.run(node))) as CacheError
      expect(error).toEqual(refusal('the code of its function cannot be read'))
    }
  })
})
