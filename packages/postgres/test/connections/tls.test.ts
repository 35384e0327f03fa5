import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cacheErrorCode } from '@cache/core/backend'
import { makeCertificate, startPostgres, waitUntil } from '@cache/workspace'
import { afterAll, expect, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions, PostgresBus } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const server = await startPostgres({ tls: true })
afterAll(() => server.stop())
const ca = server.certificate?.pem ?? ''

it('a backend connects over TLS when it trusts the certificate', async () => {
  for (const pipeline of [false, true]) {
    const backend = new PostgresBackend({
      url: server.url,
      options: { ssl: { ca } },
      table: tableName(),
      pipeline,
      ...generousLimits,
    })
    const one = item('k', { a: 1 })
    await backend.set(one)
    expect(await backend.get('k')).toEqual(one)
    expect(await backend.increment('n', 1)).toBe(1)
    await backend.close()
  }
})

it.each<[string, (file: string) => PostgresBackendOptions]>([
  [
    'in `options` next to a URL with `verify-full`',
    () => ({ url: `${server.url}?sslmode=verify-full`, options: { ssl: { ca } } }),
  ],
  ['in the URL', (file) => ({ url: `${server.url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(file)}` })],
])('the trusted certificate may be given %s', async (_, optionsFor) => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-tls-'))
  const file = join(folder, 'ca.pem')
  await writeFile(file, ca)
  const backend = new PostgresBackend({ ...optionsFor(file), table: tableName(), ...generousLimits })
  await backend.set(item('k', 1))
  expect((await backend.get('k'))?.value).toBe(1)
  await backend.close()
  await rm(folder, { recursive: true })
})

it('a self-signed certificate is refused when no certificate is trusted', async () => {
  const backend = new PostgresBackend({
    url: `${server.url}?sslmode=verify-full`,
    table: tableName(),
    ...generousLimits,
  })
  expect(await backend.get('k').catch(cacheErrorCode)).toBe('UNAVAILABLE')
  await backend.close()
})

it('an untrusted certificate is refused with `UNAVAILABLE` and the reason', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-tls-'))
  const other = await makeCertificate(folder)
  const backend = new PostgresBackend({
    url: server.url,
    options: { ssl: { ca: other.pem } },
    table: tableName(),
    ...generousLimits,
  })
  const error = await backend.get('k').catch((reason: unknown) => reason as Error)
  expect(cacheErrorCode(error)).toBe('UNAVAILABLE')
  expect((error as Error).message).toMatch(/certificate/)
  await backend.close()
  await rm(folder, { recursive: true })
})

it('a bus connects over TLS', async () => {
  const bus = new PostgresBus({
    url: server.url,
    options: { ssl: { ca } },
    channel: tableName(),
    ...generousLimits,
  })
  let received = 0
  await bus.subscribe({
    message: () => {
      received += 1
    },
    connected: () => {},
    disconnected: () => {},
  })
  await bus.publish({ kind: 'foreign', source: 's' })
  await waitUntil('the message', async () => received === 1)
  await bus.close()
})
