import { execFileSync } from 'node:child_process'
import { ItemFormat } from '@cache/codecs'
import type { Item } from '@cache/core/backend'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it } from 'vitest'
import type { RedisBackend } from '../../src/index.ts'
import { openBackend, ownPrefix } from '../resources.ts'

const url = inject('redisUrl')

function item(value: unknown, version: string): Item {
  return { key: 'k', value, version, createdAt: 1 }
}

const writer = `
const { connect } = require('node:net')
const [host, port, key, hex] = process.argv.slice(1)
const bytes = Buffer.from(hex, 'hex')
const socket = connect(Number(port), host)
socket.write('*3\\r\\n$3\\r\\nSET\\r\\n$' + Buffer.byteLength(key) + '\\r\\n' + key + '\\r\\n$' + bytes.length + '\\r\\n')
socket.write(bytes)
socket.write('\\r\\n')
socket.once('data', (reply) => process.exit(String(reply) === '+OK\\r\\n' ? 0 : 1))
`

/** Writes an item by another process, while this one waits for it without running anything else. */
function setInAnotherProcess(prefix: string, written: Item): void {
  const { hostname, port } = new URL(url)
  const hex = new ItemFormat().encode(written).toString('hex')
  execFileSync(process.execPath, ['-e', writer, hostname, port, `${prefix}${written.key}`, hex])
}

async function open(): Promise<{ backend: RedisBackend; prefix: string }> {
  const prefix = ownPrefix()
  const backend = openBackend({ url, prefix, timeout: '30s', connectTimeout: '30s' })
  await backend.set(item(1, 'v1'))
  return { backend, prefix }
}

describe('a get after a synchronous wait in its tick', () => {
  it('never gets the reply to a request that was sent before the wait', async () => {
    const { backend, prefix } = await open()
    // The request of a single caller leaves at once.
    const first = backend.get('k')
    setInAnotherProcess(prefix, item(2, 'v2'))
    const [second, third] = [backend.get('k'), backend.getMany(['k'])]
    expect((await first)?.value).toBeTypeOf('number')
    expect((await second)?.value).toBe(2)
    expect((await third)[0]?.value).toBe(2)
  })

  it('joins only requests that wait to be sent, also where many gets of the tick were sent before', async () => {
    const { backend, prefix } = await open()
    const others = Array.from({ length: 60 }, (_, index) => backend.get(`other ${index}`))
    const keys = ['k', ...Array.from({ length: 200 }, (_, index) => `more ${index}`)]
    const before = keys.map((key) => backend.get(key))
    setInAnotherProcess(prefix, item(2, 'v2'))
    const after = keys.map((key) => backend.get(key))
    await Promise.all([...others, ...before])
    expect((await after[0])?.value).toBe(2)
  })

  it('sees the change where its own get waits to be sent', async () => {
    const { backend, prefix } = await open()
    await Promise.all(['a', 'b', 'c'].map((key) => backend.get(key)))
    const waiting = [backend.get('a'), backend.get('k')]
    setInAnotherProcess(prefix, item(2, 'v2'))
    const after = backend.get('k')
    await Promise.all(waiting)
    expect((await after)?.value).toBe(2)
  })
})
