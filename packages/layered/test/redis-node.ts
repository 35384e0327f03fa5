// A process of its own for redis.test.ts: does what its parent tells it on a layered backend over Redis, and answers.
import { Cache } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend, RedisBus } from '@cache/redis'
import { LayeredBackend } from '../src/index.ts'

type Command = { readonly id: number; readonly call: 'get' | 'set' | 'delete' | 'deleteByTag'; readonly with: string[] }

const [url = '', prefix = ''] = process.argv.slice(2)
const backend = new LayeredBackend({
  layers: [new MemoryBackend({ maxEntries: 1000 }), new RedisBackend({ url, prefix, timeout: '30s' })],
  bus: new RedisBus({ url, channel: prefix, timeout: '30s' }),
  // What is seen before it is over came by the bus.
  tagWindow: '1h',
})
const cache = new Cache({ backend })

async function run({ call, with: [key = '', value, ...tags] }: Command): Promise<unknown> {
  if (call === 'get') return { value: await cache.get(key), near: backend.near.get(key) !== undefined }
  if (call === 'set') return cache.set(key, value, { tags })
  if (call === 'delete') return cache.delete(key)
  return cache.deleteByTag(key)
}

process.on('message', (command: Command) => {
  run(command).then(
    (answer) => process.send?.({ id: command.id, answer }),
    (error: unknown) => process.send?.({ id: command.id, error: String(error) }),
  )
})
process.on('disconnect', () => void cache.close())
process.send?.({ id: 0 })
