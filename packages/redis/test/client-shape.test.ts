import { EventEmitter } from 'node:events'
import { createServer } from 'node:net'
import { Cluster, Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { RedisBackend, RedisBus, RedisTrackingBus } from '../src/index.ts'
import { closeAfterTest } from './resources.ts'

const calls: string[] = []

/** A function that records that it was called. */
function recorded(name: string): () => never {
  return () => {
    calls.push(name)
    throw new Error(`${name} was called`)
  }
}

function withMethods<Given extends object>(given: Given, names: readonly string[]): Given {
  for (const name of names) Object.defineProperty(given, name, { value: recorded(name) })
  return given
}

/** The public members of a client of node-redis 4 and later. */
class NodeRedisClient extends EventEmitter {
  readonly options = { url: 'redis://localhost' }
  get isOpen(): boolean {
    return true
  }
  get isReady(): boolean {
    return true
  }
}
const methods = ['sendCommand', 'duplicate', 'connect', 'disconnect', 'quit', 'destroy', 'close', 'get', 'set', 'multi']

const others: Readonly<Record<string, () => object>> = {
  'a client of node-redis': () => withMethods(new NodeRedisClient(), methods),
  'a client of node-redis with the methods of ioredis': () =>
    withMethods(new NodeRedisClient(), [...methods, 'defineCommand', 'pipeline', 'getBuffer']),
  'a client of node-redis 3': () =>
    withMethods(Object.assign(new EventEmitter(), { connected: true, ready: true, options: {} }), [
      ...methods,
      'send_command',
      'internal_send_command',
    ]),
  'a pool of node-redis': () =>
    withMethods(Object.assign(new EventEmitter(), { isOpen: true, isClosing: false, options: {} }), [
      ...methods,
      'execute',
    ]),
  'an event emitter': () => new EventEmitter(),
  'a Map': () => new Map(),
  'the class of a client': () => Redis,
  'a promise of a client': () => Promise.resolve(new NodeRedisClient()),
}

describe('a client of another library', () => {
  for (const [name, make] of Object.entries(others)) {
    it(`is refused at construction, before anything is sent: ${name}`, () => {
      const client = make() as never
      for (const construct of [
        () => new RedisBackend({ client }),
        () => new RedisBus({ client }),
        () => new RedisTrackingBus({ client }),
      ]) {
        expect(construct).toThrow(expect.objectContaining({ name: 'CacheError', code: 'INVALID_ARGUMENT' }))
      }
      expect(calls).toEqual([])
      if ((client as unknown) instanceof EventEmitter) expect((client as EventEmitter).eventNames()).toEqual([])
    })
  }
})

describe('a client of ioredis', () => {
  it('is accepted, as are those of iovalkey and ioredis-mock, and nothing is sent', async () => {
    let connections = 0
    const server = createServer(() => {
      connections += 1
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closeAfterTest(server)
    const { port } = server.address() as { readonly port: number }
    const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true })
    const cluster = new Cluster([{ host: '127.0.0.1', port }], { lazyConnect: true })
    // The members that ioredis-mock 8 has: no status, no isCluster and no sendCommand.
    const mock = withMethods(
      Object.assign(new EventEmitter(), { connected: true, options: { db: 0, keyPrefix: '' } }),
      ['duplicate', 'disconnect', 'defineCommand', 'pipeline', 'multi', 'get', 'getBuffer', 'eval'],
    )
    for (const client of [redis, cluster, mock as unknown as Redis]) {
      await new RedisBackend({ client }).close()
      await new RedisBus({ client }).close()
      await new RedisTrackingBus({ client }).close()
      expect(client.eventNames()).toEqual([])
    }
    expect([redis.status, cluster.status, connections]).toEqual(['wait', 'wait', 0])
    const backend = closeAfterTest(new RedisBackend({ client: mock as unknown as Redis }))
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(backend.increment?.('k', 1)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(calls).toEqual([])
  })

  it('may be shared by fifty backends without a warning, and keeps no listener of a closed one', async () => {
    const client = closeAfterTest(new Redis({ lazyConnect: true }))
    const warnings: Error[] = []
    const listener = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listener)
    const backends = Array.from({ length: 50 }, () => new RedisBackend({ client }))
    await new Promise((resolve) => setImmediate(resolve))
    for (const backend of backends) await backend.close()
    process.off('warning', listener)
    expect(warnings).toEqual([])
    expect(client.eventNames()).toEqual([])
  })
})
