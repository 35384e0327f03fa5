import { Cache } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { expect, test } from 'vitest'
import { HttpCache, type HttpCacheOptions } from '../src/index.ts'

const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 10 }) })

test.each([
  [{}, 'cache must be'],
  [{ cache: new MemoryBackend({ maxEntries: 1 }) }, 'cache must be'],
  [{ cache, maxBodyBytes: 0 }, 'maxBodyBytes'],
  [{ cache, keepStale: -1 }, 'keepStale'],
  [{ cache, staleIfError: 'soon' }, 'staleIfError'],
  [{ cache, heuristics: 1 }, 'heuristics'],
  [{ cache, requestDirectives: null }, 'requestDirectives'],
  [{ cache, targetedFields: 'cdn-cache-control' }, 'targetedFields'],
  [{ cache, targetedFields: ['a b'] }, 'targetedFields'],
  [{ cache, keyFields: [''] }, 'keyFields'],
  [{ cache, timeout: 'never' }, 'timeout'],
  [{ cache, waitUntil: 1 }, 'waitUntil'],
  [{ cache, onError: 1 }, 'onError'],
  [{ cache, clock: {} }, 'clock'],
  [{ cache, cacheStatus: 'ä' }, 'cacheStatus'],
  [{ cache, maxAge: 1 }, 'maxAge'],
])('the options %# are refused', (options, message) => {
  expect(() => new HttpCache(options as unknown as HttpCacheOptions)).toThrow(message)
})
