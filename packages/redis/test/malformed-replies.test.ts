import { cacheErrorCode } from '@cache/core/backend'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it } from 'vitest'
import type { RedisBackend } from '../src/index.ts'
import { item } from './expect-to-serve.ts'
import { startManglingProxy } from './mangling-proxy.ts'
import { closeAfterTest, openBackend, openRedis, ownPrefix } from './resources.ts'

const url = inject('redisUrl')

/** Replies that no command of the backend has, unless an operation says that it accepts them. */
const malformed: Readonly<Record<string, string>> = {
  'a negative number': ':-5\r\n',
  'a large number': ':1234567\r\n',
  'a number beyond 2^53': ':9007199254740993\r\n',
  'nil of RESP2': '$-1\r\n',
  'nil of RESP3': '_\r\n',
  'a list of nil': '*-1\r\n',
  'a text': '$3\r\nabc\r\n',
  'an empty text': '$0\r\n\r\n',
  'a status': '+QUEUED\r\n',
  'an empty list': '*0\r\n',
  'a short list': '*1\r\n$1\r\n5\r\n',
  'a long list': `*30\r\n${'$1\r\n5\r\n'.repeat(30)}`,
  'a list with a number': '*2\r\n:5\r\n$1\r\n5\r\n',
  'a list with nil': '*2\r\n$1\r\n5\r\n$-1\r\n',
  'a list in a list': '*2\r\n*1\r\n$1\r\na\r\n*0\r\n',
  'a list nested 5,000 times': `${'*1\r\n'.repeat(5000)}:1\r\n`,
  'a map': '%1\r\n+a\r\n:1\r\n',
  'a boolean': '#t\r\n',
  'a decimal number': ',1.5\r\n',
  'a large whole number of RESP3': '(12345678901234567890\r\n',
  'an attribute of RESP3': '|1\r\n+a\r\n+b\r\n:1\r\n',
  'a type that does not exist': '@what\r\n',
  'a length that Redis does not send': '*999999999\r\n',
}

interface Operation {
  readonly call: (backend: RedisBackend) => Promise<unknown>
  /** The command whose reply is replaced. */
  readonly command: RegExp
  /** Malformed replies that are replies of this command. */
  readonly accepts?: readonly string[]
}

const texts = ['a text', 'an empty text', 'a status']
const nils = ['nil of RESP2', 'nil of RESP3', 'a list of nil']
/** A client of RESP3 gets the number 1 for `true`. */
const numbers = ['a boolean']

const operations: Readonly<Record<string, Operation>> = {
  get: {
    call: (backend) => backend.get('k'),
    command: /^get$/,
    // A decimal number arrives as its text.
    accepts: [...texts, ...nils, 'a decimal number'],
  },
  'gets of one tick': {
    call: (backend) => Promise.all([backend.get('j'), backend.get('k'), backend.get('l')]),
    command: /^mget$/,
  },
  'get of a counter': {
    call: (backend) => backend.get('counter'),
    command: /^eval/,
    // A map arrives as a list of its names and values.
    accepts: ['a map'],
  },
  getMany: { call: (backend) => backend.getMany(['k', 'l']), command: /^mget$/, accepts: ['a list with nil'] },
  set: { call: (backend) => backend.set(item('k', 1)), command: /^set$/ },
  'sets of one tick': {
    call: (backend) => Promise.all([backend.set(item('j', 1)), backend.set(item('k', 1)), backend.set(item('l', 1))]),
    command: /^eval/,
    accepts: ['an empty list'],
  },
  setMany: {
    call: (backend) => backend.setMany([item('k', 1), item('l', 2)]),
    command: /^eval/,
    accepts: ['an empty list'],
  },
  delete: { call: (backend) => backend.delete('k'), command: /^eval/, accepts: numbers },
  deleteMany: { call: (backend) => backend.deleteMany(['k', 'l']), command: /^eval/, accepts: numbers },
  compareAndSet: {
    call: (backend) => backend.compareAndSet('k', 'v1', item('k', 2)),
    command: /^eval/,
    accepts: numbers,
  },
  increment: {
    call: (backend) => backend.increment?.('n', 1) ?? Promise.reject(),
    command: /^eval/,
    accepts: ['a short list'],
  },
  'increments of one tick': {
    call: (backend) => Promise.all([backend.increment?.('n', 1), backend.increment?.('m', 1)]),
    command: /^eval/,
  },
  'clear, its scan': { call: (backend) => backend.clear(), command: /^scan$/ },
  'clear, its removal': {
    call: (backend) => backend.clear(),
    command: /^unlink$/,
    accepts: ['a large number', ...numbers],
  },
  'keys, their scan': { call: (backend) => keysOf(backend), command: /^scan$/ },
  'keys, their check': { call: (backend) => keysOf(backend), command: /^eval/ },
  stats: { call: (backend) => backend.stats(), command: /^dbsize$/, accepts: ['a large number', ...numbers] },
}

async function keysOf(backend: RedisBackend): Promise<string[]> {
  const keys: string[] = []
  for await (const key of backend.keys()) keys.push(key)
  return keys
}

/** Expects that a set, the gets of one tick and an increment work. */
async function serve(backend: RedisBackend, value: string): Promise<void> {
  await backend.set(item('later', value))
  const later = await Promise.all(['later', 'none', 'later'].map((key) => backend.get(key)))
  expect(later.map((one) => one?.value)).toEqual([value, undefined, value])
  expect(await backend.increment?.('counter', 1)).toBe(8)
}

/** `served`, or the code that the call rejects with. */
function outcomeOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => 'served',
    (error: unknown) => cacheErrorCode(error) ?? String(error),
  )
}

describe('a malformed reply', () => {
  for (const [name, { call, command, accepts = [] }] of Object.entries(operations)) {
    it(`to ${name} ends the call with UNAVAILABLE, later calls work, and close ends`, async () => {
      const proxy = closeAfterTest(await startManglingProxy(url))
      const prefix = ownPrefix()
      const redis = openRedis(url)
      const wrong: unknown[] = []
      for (const [form, reply] of Object.entries(malformed)) {
        await redis.set(`${prefix}counter`, 7)
        const backend = openBackend({ url: proxy.url, prefix, timeout: '15s', connectTimeout: '15s' })
        await backend.set(item('k', 1))
        // Later gets are gathered.
        await Promise.all(['k', 'l', 'm'].map((key) => backend.get(key)))
        let isMangled = false
        proxy.mangle = ([sent = '']) => {
          if (isMangled || !command.test(sent.toLowerCase())) return undefined
          isMangled = true
          return reply
        }
        // The first get of a tick leaves by itself where only one caller seems to exist.
        const outcome = await outcomeOf(call(backend))
        proxy.mangle = undefined
        const expected = accepts.includes(form) ? 'served' : 'UNAVAILABLE'
        if (!isMangled || outcome !== expected) wrong.push([form, { isMangled, outcome, expected }])
        await redis.set(`${prefix}counter`, 7)
        const later = await outcomeOf(serve(backend, form))
        if (later !== 'served') wrong.push([form, { later }])
        await backend.close()
      }
      expect(wrong).toEqual([])
    })
  }

  it('fails the other calls in flight on its connection, because their replies may be shifted', async () => {
    const proxy = closeAfterTest(await startManglingProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix(), timeout: '15s', connectTimeout: '15s' })
    await backend.set(item('k', 1))
    proxy.mangle = ([sent = ''], reply) => (sent === 'get' ? Buffer.concat([Buffer.from(':1\r\n'), reply]) : undefined)
    const calls = [backend.get('k'), backend.getMany(['k', 'l']), backend.delete('m')]
    expect(await Promise.all(calls.map(outcomeOf))).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE'])
    proxy.mangle = undefined
    expect((await backend.get('k'))?.value).toBe(1)
  })

  it('that no command waits for ends the connection, and never the process', async () => {
    const proxy = closeAfterTest(await startManglingProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix(), timeout: '15s', connectTimeout: '15s' })
    for (const extra of [
      '_\r\n',
      ':1\r\n',
      '$-1\r\n',
      '-ERR what\r\n',
      '*0\r\n',
      '$1\r\na\r\n',
      '|1\r\n+a\r\n+b\r\n',
    ]) {
      await backend.set(item('k', extra))
      proxy.mangle = ([sent = ''], reply) => (sent === 'get' ? Buffer.concat([reply, Buffer.from(extra)]) : undefined)
      expect([extra, (await backend.get('k'))?.value]).toEqual([extra, extra])
      proxy.mangle = undefined
      const outcome = await outcomeOf(backend.get('k'))
      expect([extra, ['served', 'UNAVAILABLE'].includes(outcome ?? '')]).toEqual([extra, true])
      expect([extra, (await backend.get('k'))?.value]).toEqual([extra, extra])
    }
  })

  it('of the kind of a push message is skipped, at any place', async () => {
    const proxy = closeAfterTest(await startManglingProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix(), timeout: '15s', connectTimeout: '15s' })
    await backend.set(item('k', 1))
    for (const push of [
      '>1\r\n_\r\n',
      '>0\r\n',
      '>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n',
      '>2\r\n$7\r\nmessage\r\n_\r\n',
    ]) {
      proxy.mangle = (_, reply) => Buffer.concat([Buffer.from(push), reply, Buffer.from(push)])
      expect([push, (await backend.get('k'))?.value]).toEqual([push, 1])
      const found = await Promise.all(['k', 'l', 'k'].map((key) => backend.get(key)))
      expect([push, ...found.map((one) => one?.value)]).toEqual([push, 1, undefined, 1])
    }
  })

  it('on an injected client ends only its own call', async () => {
    const proxy = closeAfterTest(await startManglingProxy(url))
    const client = openRedis(proxy.url)
    const backend = openBackend({ client, prefix: ownPrefix(), timeout: '15s' })
    await backend.set(item('k', 1))
    let isMangled = false
    proxy.mangle = ([sent = '']) => {
      if (sent !== 'get' || isMangled) return undefined
      isMangled = true
      return ':1\r\n'
    }
    const calls = [backend.get('k'), backend.getMany(['k', 'l'])]
    expect(await Promise.all(calls.map(outcomeOf))).toEqual(['UNAVAILABLE', 'served'])
    expect(client.status).toBe('ready')
    expect((await backend.get('k'))?.value).toBe(1)
  })

  it('with a repeated cursor ends a scan that would not end', async () => {
    const proxy = closeAfterTest(await startManglingProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix(), timeout: '15s' })
    proxy.mangle = ([sent = '']) => (sent === 'scan' ? '*2\r\n$1\r\n7\r\n*0\r\n' : undefined)
    expect(await outcomeOf(keysOf(backend))).toBe('UNAVAILABLE')
    expect(await outcomeOf(backend.clear())).toBe('UNAVAILABLE')
  })
})
