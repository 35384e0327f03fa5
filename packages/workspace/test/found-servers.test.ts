import { Redis } from 'ioredis'
import pg from 'pg'
import { afterEach, expect, it, vi } from 'vitest'
import { postgresServer, redisServer } from '../src/index.ts'

afterEach(() => vi.unstubAllEnvs())

it('the Redis server of the environment is used unchanged', async () => {
  vi.stubEnv('REDIS_URL', 'redis://named:1')
  expect((await redisServer()).url).toBe('redis://named:1')
})

it('a Redis server is started when the environment names none', async () => {
  vi.stubEnv('REDIS_URL', '')
  const server = await redisServer()
  const client = new Redis(server.url)
  expect(await client.ping()).toBe('PONG')
  client.disconnect()
  await server.stop()
})

it('the PostgreSQL server of the environment is used unchanged', async () => {
  vi.stubEnv('POSTGRES_URL', 'postgres://named:1')
  expect((await postgresServer()).url).toBe('postgres://named:1')
})

it('a PostgreSQL server is started when the environment names none', async () => {
  vi.stubEnv('POSTGRES_URL', '')
  const server = await postgresServer()
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await client.end()
  await server.stop()
})
