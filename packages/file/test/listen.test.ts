import { createMovableClock } from '@cache/core/conformance'
import { expect, it } from 'vitest'
import { FileBackend } from '../src/index.ts'
import { withIndex } from './conformance/file-harness.ts'
import { item } from './items.ts'
import { temporaryDirectory } from './temporary-directory.ts'

it('a listener receives only events of the types that it named', async () => {
  const clock = createMovableClock()
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, clock, maxEntries: 2 })
  const seen: Record<string, string[]> = {}
  for (const [name, types] of [
    ['all', undefined],
    ['none', []],
    ['evict', ['evict']],
    ['expire', ['expire']],
    ['error', ['error']],
    ['two', ['evict', 'error']],
  ] as const) {
    seen[name] = []
    backend.listen((event) => seen[name]?.push(event.type), types)
  }
  for (const key of ['a', 'b', 'c']) {
    clock.advance(1)
    await backend.set(item(key, 1))
  }
  await backend.set(item('c', 1, { expiresAt: clock.now() + 5 }))
  clock.advance(5)
  await backend.removeExpired()
  await withIndex(dir, (database) => database.exec("update item set frame = x'00' where key = 'b'"))
  expect(await backend.get('b')).toBe(undefined)
  expect(seen).toEqual({
    all: ['evict', 'expire', 'error'],
    none: [],
    evict: ['evict'],
    expire: ['expire'],
    error: ['error'],
    two: ['evict', 'error'],
  })
  await backend.close()
})
