import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache, CacheError } from '@cache/core'
import { FileBackend } from '@cache/file'
import { expect, it } from 'vitest'

it('a cache on files hits', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cache-vitest-'))
  const cache = new Cache({ backend: new FileBackend({ dir }) })
  expect(await cache.getOrSet('key', async () => 'loaded')).toBe('loaded')
  expect(await cache.get('key')).toBe('loaded')
  await cache.close()
  await rm(dir, { recursive: true })
})

it('a class exists once', () => {
  expect(createRequire(import.meta.url)('@cache/core').CacheError).toBe(CacheError)
})
