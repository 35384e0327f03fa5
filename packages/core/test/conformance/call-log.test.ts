import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import { chapters, runRule } from '../../src/conformance/index.ts'
import type { CacheBackend } from '../../src/index.ts'
import { mapHarness } from './map-harness.ts'

const rule = (id: string) => chapters.flatMap(({ rules }) => rules).find((one) => one.id === id)

describe('a call that never settles', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('fails its rule after three times the patience, with its name and the calls before it', async () => {
    let deletes = 0
    const hangs = (backend: CacheBackend): CacheBackend =>
      Object.assign(backend, {
        get: async () => undefined,
        delete: async (key: string) => {
          deletes += 1
          return key === 'never set' ? new Promise<never>(() => {}) : deletes % 2 === 1
        },
      })
    const first = rule('5.1')
    assert(first)
    const running = runRule(first, mapHarness(hangs))
    await vi.advanceTimersByTimeAsync(16_000)
    const outcome = await running
    assert.equal(outcome.status, 'failed')
    const { message } = outcome.error as Error
    assert.match(message, /^delete\("never set"\) has not settled after 15 s$/m)
    assert.match(message, /^the last calls that settled: .*delete\("k"\)$/m)
  })
})
