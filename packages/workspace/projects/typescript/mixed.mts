import { Cache, CacheError } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { hits, isCacheError } from './mixed-common.cjs'

// TypeScript refuses the calls if the two kinds of files have types of their own.
const cache: Cache = new Cache({ backend: new MemoryBackend({ maxEntries: 10 }) })
await cache.set('key', 1)
if (!(await hits(cache, 'key'))) throw new Error('the cache does not work')
if (!isCacheError(new CacheError('CLOSED', 'closed'))) throw new Error('there are two classes')
