import { Cache } from '@cache/core'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { ShardedBackend } from '@cache/sharded'
import { describe, expect, it } from 'vitest'

function memory(): MemoryBackend {
  return new MemoryBackend({ maxEntries: 1000 })
}

function layered(): LayeredBackend {
  return new LayeredBackend({ layers: [memory(), memory()] })
}

describe('A cache on shards of layers', () => {
  it('looks up the tags of a near hit once, and misses after deleteByTag in whichever shard the tag is', async () => {
    const backend = new ShardedBackend({ shards: { a: layered(), b: layered(), c: layered() } })
    const cache = new Cache({ backend })
    const records: string[] = []
    const { near } = backend
    const get = near?.get.bind(near)
    Object.assign(near as object, {
      get: (key: string) => {
        if (key.startsWith('@#')) records.push(key)
        return get?.(key)
      },
    })
    for (let index = 0; index < 20; index += 1) {
      const [key, tag] = [`k${index}`, `t${index}`]
      await cache.set(key, index, { tags: [tag] })
      expect(await cache.get(key)).toBe(index)
      await cache.get(key)
      records.length = 0
      expect(await cache.get(key)).toBe(index)
      expect(records).toEqual([])
      await cache.deleteByTag(tag)
      expect(await cache.get(key)).toBe(undefined)
    }
    await cache.close()
  })
})
