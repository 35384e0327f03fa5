import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { transact } from '../../src/transactions/index.ts'
import { withIndex } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { codesOf } from './events.ts'

const damages: readonly [string, string][] = [
  ['a changed value', "update item set frame = x'00ff' where key = 'a'"],
  ['a value of another type', "update item set frame = 'text' where key = 'a'"],
  ['no value', "update item set frame = null where key = 'a'"],
  ['a changed checksum', "update item set checksum = 1 where key = 'a'"],
]

it.each(damages)('compareAndSet takes an item with %s as absent, whatever version it expects', async (_, sql) => {
  for (const next of [item('a', 'next'), undefined]) {
    const dir = await temporaryDirectory()
    const backend = new FileBackend({ dir })
    const codes = codesOf(backend)
    const old = item('a', 'old')
    await backend.set(old)
    await withIndex(dir, (database) => database.exec(sql))
    expect(await backend.compareAndSet('a', old.version, next)).toBe(false)
    expect(await backend.compareAndSet('a', 'another', next)).toBe(false)
    expect(new Set(codes)).toEqual(new Set(['DAMAGED']))
    expect(await backend.compareAndSet('a', undefined, next)).toBe(true)
    expect((await backend.get('a'))?.value).toBe(next?.value)
    await backend.close()
  }
})

it('a transaction that read an item runs again when the item is damaged before its end', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 'old'))
  const seen: unknown[] = []
  await transact(backend, async (transaction) => {
    seen.push((await transaction.get('a'))?.value)
    if (seen.length === 1) {
      await withIndex(dir, (database) => database.exec("update item set frame = x'00ff' where key = 'a'"))
    }
    transaction.set(item('b', 'new'))
  })
  expect(seen).toEqual(['old', undefined])
  await backend.close()
})

it('compareAndSet replaces a large value in a file, and a large value by another one', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory(), largeValueBytes: 100 })
  const [first, second] = [item('a', 'x'.repeat(1000)), item('a', 'y'.repeat(1000))]
  await backend.set(first)
  expect(await backend.compareAndSet('a', undefined, second)).toBe(false)
  expect(await backend.compareAndSet('a', 'another', second)).toBe(false)
  expect(await backend.compareAndSet('a', first.version, second)).toBe(true)
  expect(await backend.compareAndSet('a', first.version, item('a', 1))).toBe(false)
  expect(await backend.compareAndSet('a', second.version, item('a', 1))).toBe(true)
  expect((await backend.get('a'))?.value).toBe(1)
  await backend.close()
})
