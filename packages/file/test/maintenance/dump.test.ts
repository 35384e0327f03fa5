import { readFile, stat, writeFile } from 'node:fs/promises'
import { createMovableClock } from '@cache/core/conformance'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { exportTo, importFrom } from '../../src/maintenance/index.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const values: readonly [string, unknown][] = [
  ['null', null],
  ['text', 'grüße'],
  ['number', 1.5],
  ['minus zero kept apart', Number.NaN],
  ['object', { a: [1, { b: 'c' }], d: null }],
  ['date', new Date(5)],
  ['map', new Map([['a', 1]])],
  ['bytes', new Uint8Array([0, 255])],
  ['bigint', 2n ** 60n],
  ['\ud800 lone', 'surrogate in the key'],
  ['nul \0', 1],
  ['large', 'x'.repeat(300_000)],
]

it('exported items are the same after an import into another directory', async () => {
  const clock = createMovableClock()
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, clock })
  const items = values.map(([key, value], n) =>
    item(
      key,
      value,
      n % 2 === 0 ? { tags: { t: 'v' }, expiresAt: clock.now() + 1000, staleAt: clock.now() + 5, cost: n } : {},
    ),
  )
  await backend.setMany(items)
  await backend.set(item('expired', 1, { expiresAt: clock.now() + 1 }))
  await backend.set(item('placeholder', undefined))
  clock.advance(1)
  const path = `${dir}.ndjson`
  expect(await exportTo(backend, path)).toBe(values.length)
  await backend.close()
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const other = new FileBackend({ dir: await temporaryDirectory(), clock })
  expect(await importFrom(other, path)).toEqual({ imported: values.length, failures: [], failed: 0 })
  for (const one of items) expect(await other.get(one.key)).toEqual(one)
  await other.close()
})

it('plain values are readable in the dump', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set({ key: 'a', value: { b: [1] }, version: 'v', createdAt: 7 })
  await exportTo(backend, `${dir}.ndjson`)
  expect(await readFile(`${dir}.ndjson`, 'utf8')).toBe(
    '{"format":"@cache/file dump","version":1}\n{"key":"a","value":{"b":[1]},"version":"v","createdAt":7}\n',
  )
  await backend.close()
})

it('unreadable lines are reported and cost no other line', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const lines = [
    '{"format":"@cache/file dump","version":1}',
    '{"key":"a","value":1,"version":"v","createdAt":1}',
    'not json',
    '{"key":5,"value":1,"version":"v","createdAt":1}',
    '{"key":"b","frame":"AAAA"}',
    '{"key":"c","value":1}',
    '{"key":"d","value":2,"version":"v","createdAt":1}',
  ]
  await writeFile(`${dir}.ndjson`, lines.join('\n'))
  const report = await importFrom(backend, `${dir}.ndjson`)
  expect(report.imported).toBe(2)
  expect(report.failed).toBe(4)
  expect(report.failures.map((failure) => failure.at)).toEqual(['line 3', 'line 4', 'line 5', 'line 6'])
  expect((await backend.get('d'))?.value).toBe(2)
  await backend.close()
})

it('a file that is no dump is refused', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await writeFile(`${dir}.txt`, 'hello\n')
  await expect(importFrom(backend, `${dir}.txt`)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(importFrom(backend, `${dir}.none`)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await backend.close()
})

it('neither the rest of an interrupted export nor a second export disturbs an export', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  await writeFile(`${dir}.dump.${process.pid}.tmp`, 'cut sho')
  expect(await Promise.all([exportTo(backend, `${dir}.dump`), exportTo(backend, `${dir}.dump`)])).toEqual([1, 1])
  expect((await importFrom(backend, `${dir}.dump`)).imported).toBe(1)
  await backend.close()
})
