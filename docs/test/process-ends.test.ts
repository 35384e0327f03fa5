import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type FoundServer, redisServer } from '@cache/workspace'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
/** Beside the packages that the code imports. */
const folder = join(import.meta.dirname, '../.ends')

let redis: FoundServer

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  redis = await redisServer()
}, 300_000)

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis.stop()
})

/** What the pattern finds in the text. */
function found(text: string, pattern: RegExp): string {
  const match = pattern.exec(text)
  if (match?.[1] === undefined) throw new Error(`the root README has nothing like ${pattern}`)
  return match[1]
}

describe('the program in the root README', () => {
  it('ends by itself when cache.close() has closed the layered backend that the README gives instead', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const program = found(readme, /^```ts\n(import [\s\S]*?)^```$/m)
    const layered = found(readme, /`(new LayeredBackend\([^`]*\))`/)
    const memory = found(program, /backend: (new MemoryBackend\(.*?\)),/)
    const code = `
      import { LayeredBackend } from '@cache/layered'
      import { RedisBackend, RedisBus } from '@cache/redis'
      const [url, prefix] = process.argv.slice(2)
      const memory = ${memory}
      const redis = new RedisBackend({ url, prefix })
      const bus = new RedisBus({ url, channel: prefix })
      ${program.replace(memory, layered)}`
    const file = join(folder, 'layered.ts')
    writeFileSync(file, code)
    const argv = [file, redis.url, `ends:${process.pid}:`]
    // A process that hangs is killed after the time-out, and the promise rejects.
    const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: 60_000 })
    expect(stdout).toBe('user 7\n')
  }, 90_000)
})

const openings: Readonly<Record<string, string>> = {
  memory: 'new MemoryBackend({ maxEntries: 100 })',
  'memory with a sliding map': 'new MemoryBackend({ maxBytes: 1e6, isolation: "clone" })',
  layered: `new LayeredBackend({
    layers: [memory(), memory()], bus: new InProcessBus(), recovery: {}, tagWindow: '1m', nearTtl: '1m' })`,
  sharded: 'new ShardedBackend({ shards: { a: memory(), b: memory() } })',
  resilient: 'new ResilientBackend({ backend: memory() })',
  failover: 'failover([memory(), memory()])',
}

/** Runs the program in a process of its own. Rejects when it ends with another code than 0, or not at all. */
async function run(name: string, program: string): Promise<string> {
  const file = join(folder, `${name.replaceAll(' ', '-')}.ts`)
  writeFileSync(
    file,
    `import { Cache, SyncCache } from '@cache/core'
    import { InProcessBus, LayeredBackend } from '@cache/layered'
    import { MemoryBackend } from '@cache/memory'
    import { failover, ResilientBackend } from '@cache/resilient'
    import { ShardedBackend } from '@cache/sharded'
    const memory = () => new MemoryBackend({ maxEntries: 100 })
    /** Timers and sockets that keep the process alive. */
    const handles = () => process.getActiveResourcesInfo().filter((kind) => /Timeout|TCP|Immediate/.test(kind))
    ${program}`,
  )
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', file], { timeout: 60_000 })
  return stdout
}

describe('a process ends although a handle was not closed', () => {
  it.each(Object.entries(openings))('on %s', async (name, backend) => {
    const stdout = await run(
      name,
      `const cache = new Cache({ backend: ${backend}, ttl: '1m', staleFor: '1h', refreshAhead: 0.5, tagTtl: '1h' })
      await cache.set('a', 1, { tags: ['t'] })
      await cache.getOrSet('b', () => 2, { tags: ['t'], lock: true })
      await cache.deleteByTag('t')
      await cache.withLock('lock', () => 3)
      await cache.rateLimit('calls', { limit: 2, window: '1m' })
      await cache.set('a', 4)
      console.log(await cache.get('a'), handles())`,
    )
    expect(stdout).toBe('4 []\n')
  })

  it('on a SyncCache', async () => {
    const program = `const cache = new SyncCache({ backend: memory(), staleFor: '1h' })
      cache.getOrSet('a', () => 1)
      console.log(cache.get('a'), handles())`
    expect(await run('sync', program)).toBe('1 []\n')
  })

  it('after the changes that wait for the database were written', async () => {
    const program = `const writer = { write: (entries) => console.log(entries.map(({ key }) => key)), delete() {} }
      const cache = new Cache({ backend: memory(), writer, writeMode: 'behind', writeBehind: { delay: '500ms' } })
      await cache.set('a', 1)
      console.log(handles())`
    expect(await run('behind', program)).toBe("[ 'Timeout' ]\n[ 'a' ]\n")
  })

  it('after a call that waits was answered', async () => {
    const program = `const cache = new Cache({ backend: memory() })
      cache.getOrSet('a', () => new Promise((resolve) => setTimeout(resolve, 300, 5))).then(console.log)`
    expect(await run('pending', program)).toBe('5\n')
  })
})

describe('a process stays alive for the caller of a call that hangs', () => {
  it.each([
    ['a load without an end', `cache.getOrSet('a', never, { timeout: '200ms' })`, 'LOAD_TIMEOUT'],
    ['a batch load without an end', `cache.getOrSetMany(['a'], never, { timeout: '200ms' })`, 'LOAD_TIMEOUT'],
    ['a store without an answer', `hanging.getOrSet('a', () => 1, { timeout: '200ms' })`, 'LOAD_TIMEOUT'],
    ['a load for a stale value', `stale.getOrSet('a', never, { softTimeout: '200ms' })`, 'old'],
  ])('%s', async (name, call, outcome) => {
    const program = `
      const never = () => new Promise(() => {})
      const cache = new Cache({ backend: memory() })
      const hanging = new Cache({ backend: { name: 'hanging', get: never, set: never, delete: never, clear: never } })
      let now = 1e12
      const clock = { now: () => now }
      const stale = new Cache({ backend: new MemoryBackend({ maxEntries: 9, clock }), clock, ttl: 10, staleFor: '1h' })
      await stale.set('a', 'old')
      now += 1000
      console.log(await ${call}.catch((error) => error.code))`
    expect(await run(name, program)).toBe(`${outcome}\n`)
  })

  it('close of a cache whose store never answers', async () => {
    const program = `
      const never = () => new Promise(() => {})
      // Timers a hundred times as fast.
      const clock = { now: () => Date.now() * 100, after: (ms, action, keepAlive) => {
        const timer = setTimeout(action, ms / 100)
        if (!keepAlive) timer.unref()
        return () => clearTimeout(timer)
      } }
      const backend = { name: 'hanging', get: never, set: never, delete: never, clear: never }
      const cache = new Cache({ backend, clock, timeout: Infinity })
      void cache.get('a')
      console.log(await cache.close().catch((error) => error.code))`
    expect(await run('close', program)).toBe('TIMEOUT\n')
  })
})
