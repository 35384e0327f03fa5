import type { Item } from '@cache/core/backend'
import { expect } from 'vitest'
import type { RedisBackend } from '../src/index.ts'

export function item(key: string, value: unknown, version = 'v1'): Item {
  return { key, value, version, createdAt: 1 }
}

/** Expects that the backend reads, writes, counts, lists and clears. */
export async function expectToServe(backend: RedisBackend): Promise<void> {
  await backend.set(item('k', { some: 'value' }))
  expect(await backend.get('k')).toEqual(item('k', { some: 'value' }))
  expect(await backend.increment?.('n', 2)).toBe(2)
  expect(await backend.compareAndSet('k', 'v1', item('k', 'next', 'v2'))).toBe(true)
  const keys: string[] = []
  for await (const key of backend.keys()) keys.push(key)
  expect(keys.sort()).toEqual(['k', 'n'])
  await backend.clear()
  expect(await backend.getMany(['k', 'n'])).toEqual([undefined, undefined])
}
