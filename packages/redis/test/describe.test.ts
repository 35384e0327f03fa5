import { Cache } from '@cache/core'
import { describe, expect, it } from 'vitest'
import { RedisBackend } from '../src/index.ts'

describe('the report of a Redis backend', () => {
  it('has the reason of a refused connection without the password, and is ok before the first try', async () => {
    const backend = new RedisBackend({ url: 'redis://user:secret-of-the-test@127.0.0.1:1' })
    expect(backend.describe()).toMatchObject({ kind: 'store', name: 'redis', status: 'ok' })
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const report = backend.describe()
    expect(report).toMatchObject({ status: 'down', message: expect.stringContaining('ECONNREFUSED') })
    const health = await new Cache({ backend }).health({ timeout: '30s' })
    expect(health).toMatchObject({ status: 'down', reasons: [{ kind: 'store', part: 'redis', status: 'down' }] })
    expect(JSON.stringify(health)).not.toContain('secret-of-the-test')
    await backend.close()
  })
})
