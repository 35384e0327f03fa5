import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type RedisServer, startRedis } from '@cache/workspace'
import { afterAll, beforeAll, expect, it } from 'vitest'

/** Beside the packages that the code imports. */
const folder = join(import.meta.dirname, '../.first-minute')
const password = 'right-word'

let redis: RedisServer

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  redis = await startRedis({ config: { requirepass: password } })
}, 300_000)

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis.stop()
})

/** The output of a program with this backend and no listener or logger. */
async function run(name: string, backend: string, value = "'Ada'"): Promise<{ stdout: string; stderr: string }> {
  const file = join(folder, `${name}.ts`)
  writeFileSync(
    file,
    `import { Cache } from '@cache/core'
    import { LayeredBackend } from '@cache/layered'
    import { MemoryBackend } from '@cache/memory'
    import { PostgresBackend } from '@cache/postgres'
    import { RedisBackend, RedisBus } from '@cache/redis'
    const cache = new Cache({ backend: ${backend}, name: 'users' })
    for (let call = 0; call < 3; call += 1) console.log(String(await cache.getOrSet('user 7', () => ${value})))
    await cache.close()`,
  )
  return await promisify(execFile)(process.execPath, [file], { timeout: 60_000 })
}

/** The warnings of the cache in the output of a process. */
function warnings(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.includes('CacheWarning'))
}

it('a wrong port of Redis is one warning with the reason, and every call loads', async () => {
  const { stdout, stderr } = await run('redis-port', "new RedisBackend({ url: 'redis://:hidden-word@127.0.0.1:1' })")
  expect(stdout).toBe('Ada\nAda\nAda\n')
  expect(warnings(stderr)).toEqual([expect.stringMatching(/cache 'users'.*ECONNREFUSED 127\.0\.0\.1:1 .*address/)])
  expect(stderr).not.toContain('hidden-word')
})

it('a wrong password of Redis is one warning with the reason and without the password', async () => {
  const url = `redis://:hidden-word@${redis.host}:${redis.port}`
  const { stdout, stderr } = await run('redis-password', `new RedisBackend({ url: '${url}' })`)
  expect(stdout).toBe('Ada\nAda\nAda\n')
  expect(warnings(stderr)).toEqual([expect.stringMatching(/cache 'users'.*(?:WRONGPASS|invalid password).*password/)])
  expect(stderr).not.toContain('hidden-word')
})

it('a wrong port of PostgreSQL is one warning with the reason', async () => {
  const url = 'postgres://user:hidden-word@127.0.0.1:1/database'
  const { stdout, stderr } = await run('postgres-port', `new PostgresBackend({ url: '${url}' })`)
  expect(stdout).toBe('Ada\nAda\nAda\n')
  expect(warnings(stderr)).toEqual([expect.stringMatching(/cache 'users'.*ECONNREFUSED 127\.0\.0\.1:1 .*address/)])
  expect(stderr).not.toContain('hidden-word')
})

it('a wrong port behind near copies is one warning with the reason', async () => {
  const url = 'redis://127.0.0.1:1'
  const layered = `new LayeredBackend({ layers: [new MemoryBackend({ maxEntries: 10 }), new RedisBackend({ url: '${url}' })], bus: new RedisBus({ url: '${url}' }) })`
  const { stderr } = await run('layered-port', layered)
  expect(warnings(stderr)).toEqual([expect.stringMatching(/cache 'users'.*ECONNREFUSED 127\.0\.0\.1:1 .*address/)])
})

it('a value that Redis cannot keep is one warning with its class and advice', async () => {
  const url = `redis://:${password}@${redis.host}:${redis.port}`
  const backend = `new RedisBackend({ url: '${url}', prefix: 'first:' })`
  const { stdout, stderr } = await run('value', backend, "new URL('https://example.org/')")
  expect(stdout).toBe('https://example.org/\n'.repeat(3))
  expect(warnings(stderr)).toEqual([expect.stringMatching(/cache 'users'.*URL/)])
  expect(stderr).not.toContain('user 7')
})
