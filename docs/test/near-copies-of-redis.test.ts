import { once } from 'node:events'
import { connect } from 'node:net'
import type { Item } from '@cache/core/backend'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend, RedisTrackingBus } from '@cache/redis'
import { type RedisServer, startRedis, tcpProxy, waitUntil } from '@cache/workspace'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

let server: RedisServer
const ends: (() => unknown)[] = []
let count = 0

beforeAll(async () => {
  server = await startRedis()
}, 120_000)

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

afterAll(async () => {
  await server.stop()
})

/** A layered backend that hears of changes through the bus at this URL, and a backend of another program. */
function open(busUrl: string): { layered: LayeredBackend; other: RedisBackend; prefix: string } {
  const prefix = `near-copies:${process.pid}:${++count}:`
  const bus = new RedisTrackingBus({ url: busUrl, prefix, heartbeat: 100 })
  const layered = new LayeredBackend({
    layers: [new MemoryBackend({ maxEntries: 1000 }), new RedisBackend({ url: server.url, prefix })],
    bus,
  })
  const other = new RedisBackend({ url: server.url, prefix })
  ends.push(
    () => bus.close(),
    () => layered.close(),
    () => other.close(),
  )
  return { layered, other, prefix }
}

function item(value: string): Item {
  return { key: 'k', value, version: `version of ${value}`, createdAt: 1 }
}

/** One command of a program that knows nothing of caches, as anybody could type it. */
async function typed(command: string): Promise<string> {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  socket.write(`${command}\r\n`)
  const [reply] = await once(socket, 'data')
  socket.destroy()
  return String(reply)
}

function isNear(layered: LayeredBackend): boolean {
  return layered.near.get('k') !== undefined
}

async function untilNear(layered: LayeredBackend): Promise<void> {
  await waitUntil('a near copy', async () => {
    await layered.get('k')
    return isNear(layered)
  })
}

describe('A near copy of what Redis holds, with RedisTrackingBus', () => {
  it('is gone when a plain client sets, deletes or lets expire its key', async () => {
    const { layered, prefix } = open(server.url)
    for (const command of [`SET ${prefix}k anything`, `DEL ${prefix}k`, `PEXPIRE ${prefix}k 1`]) {
      await layered.set(item('ours'))
      await untilNear(layered)
      expect(await typed(command)).toMatch(/^(\+OK|:1)\r\n$/)
      await waitUntil(`the end of the near copy after ${command}`, () => !isNear(layered))
      // PEXPIRE tells before the life is over.
      await waitUntil(`a miss after ${command}`, async () => (await layered.get('k')) === undefined)
    }
  })

  it('is bypassed while the connection of the bus is cut, cleared, and made anew when it is back (R14)', async () => {
    const proxy = await tcpProxy(server.url)
    ends.push(() => proxy.stop())
    const { layered, other } = open(proxy.url)
    await layered.set(item('old'))
    await untilNear(layered)

    proxy.cut()
    await waitUntil('the near layer to be bypassed', () => !isNear(layered))
    // Nobody tells of these, and every one is seen at once.
    for (const value of ['first', 'second', 'third']) {
      await other.set(item(value))
      expect(await layered.get('k')).toEqual(item(value))
      expect(isNear(layered)).toBe(false)
    }

    proxy.heal()
    await untilNear(layered)
    expect(await layered.get('k')).toEqual(item('third'))
    await other.set(item('fourth'))
    await waitUntil('news again', async () => (await layered.get('k'))?.value === 'fourth')
  })
})
