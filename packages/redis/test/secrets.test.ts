import { inspect } from 'node:util'
import { type BackendEvent, Cache } from '@cache/core'
import { startRedis } from '@cache/workspace'
import { describe, expect, it } from 'vitest'
import { RedisBackend, RedisBus, RedisTrackingBus } from '../src/index.ts'
import { RecordingListener } from './bus/recording-listener.ts'
import { startManglingProxy } from './mangling-proxy.ts'
import { closeAfterTest, openBackend } from './resources.ts'

const secret = 'hunter2/s3cret'
const encoded = encodeURIComponent(secret)
const patient = { timeout: '15s', connectTimeout: '15s' } as const

/** Every text that a log could contain of a value. */
function textsOf(value: unknown): string {
  const texts = [inspect(value, { depth: Infinity, showHidden: true, getters: true })]
  const seen = new Set<unknown>()
  const walk = (one: unknown): void => {
    if (typeof one === 'string') texts.push(one)
    if (typeof one !== 'object' || one === null || seen.has(one)) return
    seen.add(one)
    for (const name of Reflect.ownKeys(one)) walk(Reflect.get(one, name))
  }
  walk(value)
  return texts.join('\n')
}

function expectNoSecret(value: unknown): void {
  const texts = textsOf(value)
  for (const text of [secret, encoded, 'hunter2', 's3cret']) expect(texts).not.toContain(text)
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => expect.fail('the call was served'),
    (reason: unknown) => reason,
  )
}

describe('an option that is refused', () => {
  const refused: Readonly<Record<string, unknown>> = {
    'a URL with a port that is none': { url: `redis://user:${encoded}@host:port` },
    'a URL without a host': { url: `redis://:${encoded}@` },
    'a URL with a password that is not encoded': { url: 'redis://:hunter2/s3cret@host' },
    'a URL with a password that cannot be decoded': { url: 'redis://:hunter2%zzs3cret@host' },
    'a URL of another protocol': { url: `http://:${encoded}@host` },
    'a URL with a database that is a word': { url: `redis://:${encoded}@host/abc` },
    'a URL with spaces': { url: ` redis://:${encoded}@host` },
    'a URL in place of the options': `redis://:${encoded}@host`,
    'a URL in place of the options of ioredis': { options: `redis://:${encoded}@host` },
    'a URL in place of a client': { client: `redis://:${encoded}@host` },
    'a URL in place of a Cluster': { cluster: `redis://:${encoded}@host` },
    'a URL in place of the nodes': { cluster: { nodes: `redis://:${encoded}@host` } },
    'a node with a port that is none': { cluster: { nodes: [`redis://:${encoded}@host:port`] } },
    'a URL in place of the options of a Cluster': { cluster: { nodes: [1], options: `redis://:${encoded}@host` } },
    'a database that is a password': { options: { db: secret } },
    'sentinels without a name': { options: { sentinels: [{ host: 'h' }], password: secret } },
    'two sources': { url: `redis://:${encoded}@host`, cluster: { nodes: [`redis://:${encoded}@host`] } },
    'a timeout next to a URL': { url: `redis://:${encoded}@host`, timeout: -1 },
    'a key that is a text': { url: 'redis://h', encryption: { keys: [secret] } },
    'keys that are a text': { url: 'redis://h', encryption: { keys: secret } },
    'encryption that is a text': { url: 'redis://h', encryption: secret },
  }
  for (const [name, options] of Object.entries(refused)) {
    it(`never appears in the error: ${name}`, () => {
      const constructors = name.includes('ey') ? [RedisBackend] : [RedisBackend, RedisBus, RedisTrackingBus]
      for (const Constructor of constructors) {
        try {
          new Constructor(options as never)
        } catch (error) {
          expect(error).toMatchObject({ name: 'CacheError', code: 'INVALID_ARGUMENT' })
          expectNoSecret(error)
          continue
        }
        expect.fail(`${Constructor.name} accepted it`)
      }
    })
  }
})

describe('a secret', () => {
  it('never appears in errors and events of a refused login', async () => {
    const server = closeAfterTest(await startRedis({ password: 'another' }))
    const at = { host: server.host, port: server.port }
    const sources = [
      { url: `redis://:${encoded}@${server.host}:${server.port}` },
      { url: `redis://user:${encoded}@${server.host}:${server.port}/3` },
      { options: { ...at, password: secret } },
      { options: { ...at, password: secret, protocol: 2 as const } },
      { options: { ...at, username: 'user', password: secret, protocol: 2 as const } },
      { cluster: { nodes: [at] }, options: { password: secret } },
      { cluster: { nodes: [`redis://:${encoded}@${server.host}:${server.port}`] } },
    ]
    for (const source of sources) {
      const backend = openBackend({ ...source, ...patient })
      const events: BackendEvent[] = []
      backend.listen((event) => events.push(event))
      expectNoSecret(await failureOf(backend.get('k')))
      expectNoSecret(await failureOf(backend.set({ key: 'k', value: 1, version: 'v', createdAt: 1 })))
      expect(events.length).toBeGreaterThan(0)
      expectNoSecret(events)
      const bus = closeAfterTest(new RedisBus({ ...source, ...patient }))
      const tracking = closeAfterTest(new RedisTrackingBus({ ...source, ...patient }))
      const listener = new RecordingListener()
      expectNoSecret(await failureOf(bus.subscribe(listener)))
      expectNoSecret(await failureOf(tracking.subscribe(listener)))
      expectNoSecret(await failureOf(bus.publish({ kind: 'clear', source: 's', prefix: '' })))
    }
  })

  it('never appears where the server repeats it in its reply', async () => {
    const server = closeAfterTest(await startRedis())
    const proxy = closeAfterTest(await startManglingProxy(server.url))
    const replies = [
      `-ERR unknown command 'AUTH', with args beginning with: '${secret}' \r\n`,
      `-WRONGPASS the password ${secret} is wrong\r\n`,
      `-ERR ${encoded} or ${secret}\r\n`,
    ]
    for (const reply of replies) {
      for (const protocol of [2, 3] as const) {
        proxy.mangle = ([name = '']) => (['auth', 'hello'].includes(name) ? reply : undefined)
        const options = { host: '127.0.0.1', port: proxy.port, password: secret, protocol }
        const backend = openBackend({ options, ...patient })
        const events: BackendEvent[] = []
        backend.listen((event) => events.push(event))
        expectNoSecret(await failureOf(backend.get('k')))
        expect(events.length).toBeGreaterThan(0)
        expectNoSecret(events)
      }
    }
  })

  it('never appears in the inspection of a backend, a bus or a cache', async () => {
    const url = `redis://user:${encoded}@127.0.0.1:1`
    const encryption = { keys: [Buffer.alloc(32, 'hunter2')] }
    const backend = openBackend({ url, encryption, options: { tls: { passphrase: secret } } })
    await failureOf(backend.get('k'))
    const bus = closeAfterTest(new RedisBus({ url }))
    const tracking = closeAfterTest(new RedisTrackingBus({ url }))
    for (const one of [backend, bus, tracking, closeAfterTest(new Cache({ backend }))]) {
      expectNoSecret(one)
      expect(textsOf(one)).not.toContain(encryption.keys[0]?.toString('hex').slice(0, 20))
    }
  })
})
