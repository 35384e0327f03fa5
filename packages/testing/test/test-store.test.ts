import { jsonCodec } from '@cache/codecs'
import { type CacheError, cacheErrorCode, type Item } from '@cache/core'
import { conformance, createMovableClock } from '@cache/core/conformance'
import { describe, expect, it } from 'vitest'
import { TestStore } from '../src/index.ts'

const clock = createMovableClock()

let opened: TestStore

function open(maxEntries: number): TestStore {
  opened = new TestStore({ clock, maxEntries })
  return opened
}

const elsewhere = 'data live and die with the one backend object'
const hangs = 'a held call waits until the test ends the fault'

conformance(
  {
    name: 'a test store',
    values: 'copies',
    clock,
    open: () => open(1_000_000),
    openLimited: (entries) => open(entries),
    break: () => void opened.fail(),
    heal: () => opened.restore(),
    without: {
      openSecond: elsewhere,
      openOther: elsewhere,
      openMany: elsewhere,
      reopen: elsewhere,
      openInjected: 'it has no client',
      corrupt: 'its bytes are out of reach',
      futureFormat: 'its bytes are out of reach',
      freeze: hangs,
      thaw: hangs,
    },
  },
  { describe, it },
)

let version = 0
function item(key: string, value: unknown): Item {
  version += 1
  return { key, value, version: `v${version}`, createdAt: Date.now() } as unknown as Item
}

async function keysOf(store: TestStore): Promise<string[]> {
  const found: string[] = []
  for await (const key of store.keys()) found.push(key)
  return found
}

const calls: Readonly<Record<string, (store: TestStore) => Promise<unknown>>> = {
  get: (store) => store.get('k'),
  set: (store) => store.set(item('k', 1)),
  delete: (store) => store.delete('k'),
  clear: (store) => store.clear(),
  getMany: (store) => store.getMany(['k', 'l']),
  setMany: (store) => store.setMany([item('k', 1)]),
  deleteMany: (store) => store.deleteMany(['k']),
  compareAndSet: (store) => store.compareAndSet('k', undefined, item('k', 1)),
  increment: (store) => store.increment('n', 1),
  keys: (store) => store.keys().next(),
  stats: (store) => store.stats(),
}

describe.each(Object.entries(calls))('`%s`', (method, call) => {
  it('rejects while the store fails, and works afterwards', async () => {
    const store = new TestStore()
    const fault = store.fail('TIMEOUT')
    const error = (await call(store).catch((reason) => reason)) as CacheError
    expect([cacheErrorCode(error), error.operation]).toEqual(['TIMEOUT', method])
    fault.end()
    await call(store)
    expect(store.calls.map((one) => one.method)).toEqual([method, method])
  })

  it('waits for the clock while the store is slow', async () => {
    const slow = createMovableClock()
    const store = new TestStore({ clock: slow })
    store.delay('2s')
    let isOver = false
    const calling = call(store).then(() => {
      isOver = true
    })
    while (slow.timers === 0) await Promise.resolve()
    slow.advance(1999)
    await new Promise(setImmediate)
    expect(isOver).toBe(false)
    slow.advance(1)
    await calling
  })

  it('waits while the store holds calls', async () => {
    const store = new TestStore()
    const fault = store.hold({ methods: [method as 'get'] })
    let isOver = false
    const calling = call(store).then(() => {
      isOver = true
    })
    await new Promise(setImmediate)
    expect(isOver).toBe(false)
    fault.end()
    await calling
  })

  it('has no effect on what is stored while the store is switched off', async () => {
    const store = new TestStore()
    await store.set(item('kept', 1))
    store.switchOff()
    await call(store)
    expect([await store.get('kept'), await store.getMany(['kept'])]).toEqual([undefined, [undefined]])
    store.switchOn()
    expect((await store.get('kept'))?.value).toBe(1)
    expect([...(await keysOf(store))]).toEqual(['kept'])
  })
})

it('a fault concerns the methods and the number of calls that it names', async () => {
  const store = new TestStore()
  store.fail(new RangeError('mine'), { methods: ['set', 'get'], times: 2 })
  await store.delete('k')
  await expect(store.set(item('k', 1))).rejects.toThrow('mine')
  await expect(store.get('k')).rejects.toThrow(RangeError)
  expect(await store.get('k')).toBe(undefined)
})

it('`close` lets held calls end', async () => {
  const store = new TestStore()
  store.hold()
  const calling = store.get('k').catch(cacheErrorCode)
  await store.close()
  expect(await calling).toBe('CLOSED')
})

it('the codec of production decides which values are refused', async () => {
  class User {
    readonly name = 'Ada'
  }
  const store = new TestStore()
  expect(await store.set(item('k', new User())).catch(cacheErrorCode)).toBe('NOT_STORABLE')
  const date = new Date(0)
  await store.set(item('k', { date }))
  const [one, other] = [await store.get('k'), await store.get('k')]
  expect(one?.value).toEqual({ date })
  expect(one?.value).not.toBe(other?.value)
  const lossless = new TestStore({ codec: jsonCodec })
  expect(await lossless.set(item('k', () => 1)).catch(cacheErrorCode)).toBe('NOT_STORABLE')
})

it.each<[string, (store: TestStore) => unknown]>([
  ['an unknown code', (store) => store.fail('BROKEN' as 'TIMEOUT')],
  ['a code for other errors', (store) => store.fail('CLOSED')],
  ['an unknown method', (store) => store.fail('TIMEOUT', { methods: ['gte' as 'get'] })],
  ['no method', (store) => store.hold({ methods: [] })],
  ['no call', (store) => store.hold({ times: 0 })],
  ['an unknown option', (store) => store.hold({ method: ['get'] } as never)],
  ['a negative duration', (store) => store.delay(-1)],
  ['an unknown option of the store', () => new TestStore({ ttl: 1 } as never)],
])('%s is refused', (_, wrong) => {
  expect(() => wrong(new TestStore())).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})
