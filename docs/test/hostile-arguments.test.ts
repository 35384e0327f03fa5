import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ItemFormat, msgpackCodec } from '@cache/codecs'
import { classType } from '@cache/codecs/types'
import { Cache, cacheErrorCode, SyncCache } from '@cache/core'
import { openCache } from '@cache/core/config'
import { FileBackend } from '@cache/file'
import { check, exportTo, importFrom, importKeyvFile } from '@cache/file/maintenance'
import { JobQueue } from '@cache/file/queue'
import { getStream, setStream } from '@cache/file/streams'
import { LayeredBackend } from '@cache/layered'
import { BoundedMap, MemoryBackend } from '@cache/memory'
import { PostgresBackend, PostgresBus } from '@cache/postgres'
import { RedisBackend, RedisBus, RedisTrackingBus } from '@cache/redis'
import { failover, ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const throwing = new Proxy(
  {},
  {
    get() {
      throw new Error('the trap of get')
    },
    ownKeys() {
      throw new Error('the trap of ownKeys')
    },
    getPrototypeOf() {
      throw new Error('the trap of getPrototypeOf')
    },
  },
)

function revoked<Target extends object>(target: Target): Target {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** Objects whose members throw when they are read. */
const hostile: Readonly<Record<string, unknown>> = {
  'a proxy whose traps throw': throwing,
  'a revoked proxy of an object': revoked({}),
  'a revoked proxy of an array': revoked([]),
}

let directory: string
let file: FileBackend
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cache-hostile-'))
  file = new FileBackend({ dir: directory })
})
afterAll(async () => {
  await file.close()
  await rm(directory, { recursive: true, force: true })
})

const memory = (): MemoryBackend => new MemoryBackend({ maxEntries: 100 })
const cache = new Cache({ backend: memory() })
const sync = new SyncCache({ backend: memory() })

/** Calls with the given value in the place of one argument. */
const calls: Readonly<Record<string, (given: never) => unknown>> = {
  'new Cache': (given) => new Cache(given),
  'new Cache, backend': (backend) => new Cache({ backend }),
  'new Cache, namespace': (namespace) => new Cache({ backend: memory(), namespace }),
  'new SyncCache': (given) => new SyncCache(given),
  'new MemoryBackend': (given) => new MemoryBackend(given),
  'new BoundedMap': (given) => new BoundedMap(given),
  'new FileBackend': (given) => new FileBackend(given),
  'new LayeredBackend': (given) => new LayeredBackend(given),
  'new LayeredBackend, layers': (layers) => new LayeredBackend({ layers }),
  'new ResilientBackend': (given) => new ResilientBackend(given),
  failover: (given) => failover(given),
  'failover, options': (given) => failover([memory(), memory()], given),
  'new ShardedBackend': (given) => new ShardedBackend(given),
  'new ShardedBackend, shards': (shards) => new ShardedBackend({ shards }),
  'new RedisBackend': (given) => new RedisBackend(given),
  'new RedisBus': (given) => new RedisBus(given),
  'new RedisTrackingBus': (given) => new RedisTrackingBus(given),
  'new PostgresBackend': (given) => new PostgresBackend(given),
  'new PostgresBus': (given) => new PostgresBus(given),
  'new ItemFormat': (given) => new ItemFormat(given),
  withTypes: (given) => msgpackCodec.withTypes(given),
  openCache: (given) => openCache(given),
  get: (given) => cache.get(given),
  'get, options': (given) => cache.get('k', given),
  getMany: (given) => cache.getMany(given),
  set: (given) => cache.set(given, 1),
  'set, options': (given) => cache.set('k', 1, given),
  'set, tags': (tags) => cache.set('k', 1, { tags }),
  'setMany, options': (given) => cache.setMany([['k', 1]], given),
  delete: (given) => cache.delete(given),
  deleteMany: (given) => cache.deleteMany(given),
  deleteByTag: (given) => cache.deleteByTag(given),
  getOrSet: (given) => cache.getOrSet(given, () => 1),
  'getOrSet, options': (given) => cache.getOrSet('k', () => 1, given),
  'getOrSetMany, keys': (given) => cache.getOrSetMany(given, async () => [] as [string, number][]),
  increment: (given) => cache.increment('k', given),
  namespace: (given) => cache.namespace(given),
  rateLimit: (given) => cache.rateLimit('k', given),
  withLock: (given) => cache.withLock('k', () => 1, given),
  wrap: (given) => cache.wrap(() => 1, given),
  health: (given) => cache.health(given),
  'get of SyncCache': (given) => sync.get(given),
  'set of SyncCache, options': (given) => sync.set('k', 1, given),
  'getMany of a backend': (given) => memory().getMany(given),
  'set of a backend': (given) => memory().set(given),
  'setMany of a backend': (given) => memory().setMany(given),
  'deleteByTag of files': (given) => file.deleteByTag(given),
  check: (given) => check(file, given),
  exportTo: (given) => exportTo(file, given),
  importFrom: (given) => importFrom(file, given),
  importKeyvFile: (given) => importKeyvFile(file, given),
  'importKeyvFile, options': (given) => importKeyvFile(file, 'path', given),
  getStream: (given) => getStream(file, given),
  setStream: (given) => setStream(file, given, ['a']),
  'new JobQueue': (given) => new JobQueue(file, given),
  'push, options': (given) => new JobQueue(file, 'q').push(1, given),
  pull: (given) => new JobQueue(file, 'q').pull(given),
}

async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'accepted'
  } catch (error) {
    return cacheErrorCode(error) ?? String(error)
  }
}

describe.each(Object.entries(hostile))('%s', (_, given) => {
  it.each(Object.entries(calls))('is refused by %s', async (__, call) => {
    expect(await outcomeOf(() => call(given as never))).toBe('INVALID_ARGUMENT')
  })
})

describe('an option whose getter throws', () => {
  const withOptions = Object.entries(calls).filter(([name]) => /options|^new \w+(Backend|Bus|Cache|Map)$/.test(name))
  it.each(withOptions)('is refused by %s', async (_, call) => {
    const options = {
      get ttl() {
        throw new Error('the getter')
      },
    }
    // Unknown to some calls, which refuse it by its name.
    expect(await outcomeOf(() => call(options as never))).toBe('INVALID_ARGUMENT')
  })
})

it.each<[string, (given: never) => unknown]>([
  ['the options of `check`', (given) => check(file, given)],
  ['the class of `classType`', (given) => classType(given)],
  ['the tag of `deleteByTag`', (given) => file.deleteByTag(given)],
  ['the key of `getStream`', (given) => getStream(file, given)],
  ['the item of `setStream`', (given) => setStream(file, given, ['a'])],
  ['the path of `importKeyvFile`', (given) => importKeyvFile(file, given)],
])('%s is refused where it has the wrong type', async (_, call) => {
  const wrong = [null, true, 7, [], new Map(), Promise.resolve(), Symbol('s')]
  const outcomes = await Promise.all(wrong.map((given) => outcomeOf(() => call(given as never))))
  expect(outcomes).toEqual(wrong.map(() => 'INVALID_ARGUMENT'))
})

it('the item of `encode` is refused where it is no object', async () => {
  const wrong = [undefined, null, true, 7, Symbol('s'), 'k']
  const outcomes = await Promise.all(wrong.map((given) => outcomeOf(() => new ItemFormat().encode(given as never))))
  expect(outcomes).toEqual(wrong.map(() => 'INVALID_ARGUMENT'))
})

describe('an address in the place of another option', () => {
  const address = 'redis://user:pa55word@host:6379/0'
  const optionNames = {
    RedisBackend: [
      'timeout',
      'connectTimeout',
      'codec',
      'compression',
      'encryption',
      'clock',
      'maxDecodedBytes',
      'options',
      'cluster',
      'client',
    ],
    RedisBus: ['timeout', 'connectTimeout', 'heartbeat', 'sharded', 'options', 'cluster', 'client'],
    RedisTrackingBus: ['timeout', 'connectTimeout', 'heartbeat', 'options', 'cluster', 'client'],
    PostgresBackend: [
      'timeout',
      'lockTimeout',
      'table',
      'schema',
      'codec',
      'compression',
      'encryption',
      'clock',
      'pool',
      'client',
      'maxConnections',
      'prepare',
      'pipeline',
      'maxEntries',
      'unlogged',
    ],
    PostgresBus: ['timeout', 'heartbeat', 'channel', 'pool'],
  }
  const classes = { RedisBackend, RedisBus, RedisTrackingBus, PostgresBackend, PostgresBus }
  const rows = Object.entries(optionNames).flatMap(([name, options]) =>
    options.map((option) => [name, option] as const),
  )

  it.each(rows)('is not in the message of %s for `%s`', (name, option) => {
    const Class = classes[name as keyof typeof classes] as new (options: object) => { close(): Promise<void> }
    const source = option === 'pool' || option === 'client' ? {} : { url: 'redis://localhost' }
    let message = ''
    try {
      void new Class({ ...source, [option]: address }).close()
    } catch (error) {
      message = `${(error as Error).message} ${String((error as Error).cause)}`
    }
    expect(message).not.toContain('pa55word')
  })
})
