import { Cache } from '@cache/core'
import { describe, expect, it } from 'vitest'
import { input, pipeline } from '../src/index.ts'
import { errorOf, keysOf, openCache, partOf } from './rig.ts'

describe('the collector', () => {
  it('removes old results that no record names, and no others', async () => {
    const { cache, pass } = openCache()
    const p = pipeline({ name: 'p', cache, inputs: { numbers: input<number[]>() } })
    const list = p.node('list', { version: '1', ttl: '1h' }, ({ numbers }) => numbers)
    const more = p.map('more', { version: '1', over: list }, (n) => ({ more: n + 1 }))
    const one = p.node('one', { version: '1', ttl: '1h', deps: {} }, () => 'only here')
    await p.run(more, { numbers: [1, 2] })
    await p.run(one)
    expect(await p.collect({ grace: 0 })).toEqual({ removed: 0, kept: 5 })
    pass(3_600_000)
    // The records of two nodes have expired, and the blobs are an hour old.
    expect(await p.collect({ grace: '2h' })).toEqual({ removed: 0, kept: 5 })
    expect(await p.collect()).toEqual({ removed: 2, kept: 3 })
    const { value, report } = await p.run(more, { numbers: [1, 2] })
    expect(value).toEqual([{ more: 2 }, { more: 3 }])
    expect(report.nodes.map(({ reason }) => reason)).toEqual(['expired', undefined])
  })

  it('keeps the items of a list whose own records are gone', async () => {
    const { cache, pass } = openCache()
    const p = pipeline({ name: 'p', cache })
    const list = p.node('list', { version: '1' }, () => [1, 2])
    const more = p.map('more', { version: '1', over: list }, (n) => ({ more: n + 1 }))
    await p.run(more)
    for (const key of await keysOf(partOf(cache), 'item:')) await partOf(cache).delete(key)
    pass(86_400_000)
    expect(await p.collect()).toEqual({ removed: 0, kept: 4 })
    expect((await p.run(more)).report.hits).toBe(2)
  })

  it('leaves the results of other pipelines', async () => {
    const { cache, pass } = openCache()
    for (const name of ['p', 'q']) {
      const p = pipeline({ name, cache })
      await p.run(p.node('one', { version: '1', ttl: 1 }, () => 1))
    }
    pass(86_400_000)
    expect(await pipeline({ name: 'q', cache }).collect()).toEqual({ removed: 1, kept: 0 })
    expect(await pipeline({ name: 'p', cache }).collect()).toEqual({ removed: 1, kept: 0 })
  })

  it('needs a backend that lists its keys', async () => {
    const nothing = async (): Promise<undefined> => undefined
    const backend = { name: 'small', get: nothing, set: nothing, delete: async () => false, clear: nothing }
    const p = pipeline({ name: 'p', cache: new Cache({ backend }) })
    expect(await errorOf(p.collect())).toMatchObject({ code: 'UNSUPPORTED' })
  })
})
