import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cacheErrorCode } from '@cache/core/backend'
import { makeCertificate, startPostgres, waitUntil } from '@cache/testing'
import { afterAll, expect, it } from 'vitest'
import { PostgresBackend, PostgresBus } from '../src/index.ts'
import { item } from './items.ts'
import { tableName } from './table-name.ts'

const server = await startPostgres({ tls: true })
afterAll(() => server.stop())
const ca = server.certificate?.pem ?? ''

it('the server is spoken to over TLS when its certificate is trusted', async () => {
  for (const pipeline of [false, true]) {
    const backend = new PostgresBackend({ url: server.url, options: { ssl: { ca } }, table: tableName(), pipeline })
    const one = item('k', { a: 1 })
    await backend.set(one)
    expect(await backend.get('k')).toEqual(one)
    expect(await backend.increment('n', 1)).toBe(1)
    await backend.close()
  }
})

it('a certificate that is not trusted is refused, with `UNAVAILABLE` and the reason', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-tls-'))
  const other = await makeCertificate(folder)
  const backend = new PostgresBackend({ url: server.url, options: { ssl: { ca: other.pem } }, table: tableName() })
  const error = await backend.get('k').catch((reason: unknown) => reason as Error)
  expect(cacheErrorCode(error)).toBe('UNAVAILABLE')
  expect((error as Error).message).toMatch(/certificate/)
  await backend.close()
  await rm(folder, { recursive: true })
})

it('the bus speaks TLS, too', async () => {
  const bus = new PostgresBus({ url: server.url, options: { ssl: { ca } }, channel: tableName() })
  let heard = 0
  await bus.subscribe({
    message: () => {
      heard += 1
    },
    connected: () => {},
    disconnected: () => {},
  })
  await bus.publish({ kind: 'foreign', source: 's' })
  await waitUntil('the message', async () => heard === 1)
  await bus.close()
})
