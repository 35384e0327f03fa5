import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import {
  checkBackend,
  checkClock,
  checkOptions,
  oneOf,
  systemClock,
  timerDelay,
  trueOrFalse,
  withMethods,
} from '../../src/backend-kit/index.ts'
import { nullBackend } from '../../src/index.ts'

const refused = (message: string): object => ({ code: 'INVALID_ARGUMENT', operation: 'open', message })

describe('a checked option', () => {
  it('is returned when it is allowed', () => {
    assert.equal(trueOrFalse(false, 'closeParts', 'open'), false)
    assert.equal(oneOf('lru', ['lru', 'lfu'], 'policy', 'open'), 'lru')
    assert.equal(checkBackend(nullBackend, 'backend', 'open'), nullBackend)
    assert.equal(timerDelay('1s', 'timeout', 'open'), 1000)
    assert.equal(timerDelay(0, 'window', 'open', 0), 0)
    assert.equal(timerDelay(2 ** 31 - 1, 'timeout', 'open'), 2 ** 31 - 1)
    const clock = { now: () => 1 }
    assert.equal(checkClock(clock, 'open'), clock)
    assert.equal(checkClock(undefined, 'open'), systemClock)
  })

  it('is refused with its name, what was given, and what is allowed', () => {
    assert.throws(
      () => trueOrFalse('yes', 'closeParts', 'open'),
      refused("open: closeParts must be true or false, but was 'yes'"),
    )
    assert.throws(
      () => oneOf('LRU', ['lru', 'lfu'], 'policy', 'open'),
      refused("open: policy must be one of 'lru', 'lfu', but was 'LRU'"),
    )
    for (const given of [undefined, null, 1, 'get', {}, { get: true }, () => {}]) {
      assert.throws(() => withMethods(given, ['get'], 'bus', 'a bus', 'open'), { code: 'INVALID_ARGUMENT' })
      assert.throws(() => checkBackend(given, 'backend', 'open'), { code: 'INVALID_ARGUMENT' })
    }
    assert.throws(
      () => checkBackend({ get: () => {} }, 'layers[0]', 'open'),
      refused('open: layers[0] must be a backend, with get, set, delete, clear, but was an object (Object)'),
    )
    assert.throws(
      () => checkClock(null as never, 'open'),
      refused('open: clock must be a clock, with now, but was null'),
    )
    for (const given of [0, 2 ** 31, Number.POSITIVE_INFINITY, '25d'] as const) {
      assert.throws(() => timerDelay(given, 'timeout', 'open'), { code: 'INVALID_ARGUMENT' })
    }
  })

  it('with an unknown name is refused, and a text that is no name is not repeated', () => {
    assert.throws(
      () => checkOptions({ urll: 1 }, ['url'], 'open'),
      refused("open: unknown option 'urll'; allowed are url"),
    )
    for (const address of ['redis://user:secret@host', 'user:secret', 'secret '.repeat(20)]) {
      assert.throws(
        () => checkOptions({ [address]: 1 }, ['url'], 'open'),
        refused('open: unknown option (not shown); allowed are url'),
      )
    }
    assert.throws(
      () => checkOptions({ url: null }, ['url'], 'open'),
      refused('open: url must be a value of its kind, but was null'),
    )
  })
})
