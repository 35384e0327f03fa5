import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startRedisCluster } from '@cache/workspace'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it } from 'vitest'
import { closeAfterTest } from './resources.ts'

const url = inject('redisUrl')
const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url))

/** Runs a module in a process of its own, and returns what it printed once the process has ended by itself. */
async function outputOf(code: string): Promise<string> {
  const script = `import { RedisBackend, RedisBus, RedisTrackingBus } from ${JSON.stringify(entry)}\n${code}`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 50_000,
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  })
  return stdout
}

const item = `{ key: 'k', value: 1, version: 'v', createdAt: 1 }`
const limits = `timeout: '40s', connectTimeout: '20s'`

describe('a process', () => {
  it('ends although a backend and its buses are open, before any timeout of a call', async () => {
    const start = performance.now()
    const printed = await outputOf(`
      const backend = new RedisBackend({ url: '${url}', ${limits} })
      const listener = { message() {}, disconnected() {}, connected() {} }
      const bus = new RedisBus({ url: '${url}', ${limits} })
      await bus.subscribe(listener)
      const tracking = new RedisTrackingBus({ url: '${url}', ${limits} })
      await tracking.subscribe(listener)
      await backend.set(${item})
      await bus.publish({ kind: 'clear', source: 's', prefix: '' })
      console.log((await Promise.all(['k', 'k', 'l'].map((key) => backend.get(key)))).length)
    `)
    expect(printed).toBe('3\n')
    expect(performance.now() - start).toBeLessThan(30_000)
  })

  it('ends although an open backend has no server', async () => {
    const printed = await outputOf(`
      const backend = new RedisBackend({ url: 'redis://127.0.0.1:1', ${limits} })
      console.log(await backend.get('k').catch((error) => error.code))
    `)
    expect(printed).toBe('UNAVAILABLE\n')
  })

  it('stays alive until the calls in flight have settled', async () => {
    const printed = await outputOf(`
      const backend = new RedisBackend({ url: '${url}', ${limits} })
      backend.set(${item}).then(() => backend.get('k')).then((found) => console.log(found.value))
      const silent = new RedisBackend({ options: { path: '/nowhere' }, timeout: 300 })
      silent.get('k').catch((error) => console.log(error.code))
    `)
    expect(printed.split('\n').sort()).toEqual(['', '1', 'UNAVAILABLE'])
  })

  it('ends although a backend on a Cluster is open', { timeout: 60_000 }, async () => {
    const cluster = closeAfterTest(await startRedisCluster())
    const nodes = JSON.stringify(cluster.nodes.map(({ host, port }) => ({ host, port })))
    const printed = await outputOf(`
      const backend = new RedisBackend({ cluster: { nodes: ${nodes} }, ${limits} })
      await backend.set(${item})
      console.log((await backend.get('k')).value)
    `)
    expect(printed).toBe('1\n')
  })
})
