import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Keyv from 'keyv'
import { KeyvFile } from 'keyv-file'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { importKeyvFile } from '../../src/maintenance/index.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const values: readonly [string, unknown][] = [
  ['text', 'grüße'],
  ['colon', ':starts with a colon'],
  ['number', 5],
  ['null', null],
  ['object', { a: [1, 2], b: { c: ':d' } }],
  ['strange key / .. \\ %41 _5f é', 'value'],
  ['like an envelope', { value: 'inner' }],
]

const modes: readonly [string, boolean][] = [
  ['one file', false],
  ['a folder of files', true],
]

it.each(modes)('a store that Keyv wrote through keyv-file into %s is imported', async (_, separatedFile) => {
  const dir = await temporaryDirectory()
  const filename = `${dir}-keyv`
  const keyv = new Keyv({ store: new KeyvFile({ filename, separatedFile, writeDelay: 1 }), namespace: 'app' })
  for (const [key, value] of values) await keyv.set(key, value)
  await keyv.set('bytes', Buffer.from([0, 255]))
  await keyv.set('brief', 'x', 1)
  await keyv.set('long', 'x', 3_600_000)
  const started = Date.now()
  await new Promise((resolve) => setImmediate(resolve))
  while (Date.now() <= started + 2) await new Promise((resolve) => setImmediate(resolve))
  await keyv.disconnect()

  const backend = new FileBackend({ dir })
  const report = await importKeyvFile(backend, filename, { replaceNamespace: { from: 'app:', to: '' } })
  expect(report).toEqual({ imported: values.length + 2, failures: [], failed: 0 })
  for (const [key, value] of values) expect((await backend.get(key))?.value, key).toEqual(value)
  expect(Buffer.compare((await backend.get('bytes'))?.value as Uint8Array, Buffer.from([0, 255]))).toBe(0)
  expect(await backend.get('brief')).toBe(undefined)
  const left = ((await backend.get('long'))?.expiresAt as number) - Date.now()
  expect(left).toBeGreaterThan(3_500_000)
  expect(left).toBeLessThanOrEqual(3_600_000)
  await backend.close()
})

it.each(modes)('a store that keyv-file wrote by itself into %s is imported', async (_, separatedFile) => {
  const dir = await temporaryDirectory()
  const filename = `${dir}-keyv`
  const store = new KeyvFile({ filename, separatedFile, writeDelay: 1 })
  await store.set('a', { n: 1 })
  await store.set('b', 'text', 3_600_000)
  const backend = new FileBackend({ dir })
  expect((await importKeyvFile(backend, filename)).imported).toBe(2)
  expect((await backend.get('a'))?.value).toEqual({ n: 1 })
  expect((await backend.get('b'))?.value).toBe('text')
  expect((await backend.get('b'))?.expiresAt).toBeGreaterThan(Date.now())
  await backend.close()
})

it('an unreadable entry is reported and costs no other entry', async () => {
  const dir = await temporaryDirectory()
  const folder = `${dir}-keyv`
  const store = new KeyvFile({ filename: folder, separatedFile: true })
  await store.set('good', 1)
  await writeFile(join(folder, 'torn'), '{"value":"ab')
  await writeFile(join(folder, 'no_value'), '{}')
  await writeFile(join(folder, '_zz'), '{"value":1}')
  await mkdir(join(folder, 'folder'))
  const backend = new FileBackend({ dir })
  const report = await importKeyvFile(backend, folder)
  expect(report.imported).toBe(1)
  expect(report.failures.map((failure) => failure.at).sort()).toEqual(['_zz', 'no_value', 'torn'])
  expect((await backend.get('good'))?.value).toBe(1)
  await backend.close()
})

it('a file truncated by an interrupted write is reported, and no entry is imported', async () => {
  const dir = await temporaryDirectory()
  await writeFile(`${dir}-keyv`, '{"cache":[["a",{"value":1}],["b"')
  const backend = new FileBackend({ dir })
  const report = await importKeyvFile(backend, `${dir}-keyv`)
  expect(report).toMatchObject({ imported: 0, failed: 1 })
  await expect(importKeyvFile(backend, `${dir}-none`)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await backend.close()
})

it('invalid entries of a file are reported and cost no other entry', async () => {
  const dir = await temporaryDirectory()
  const cache = [
    null,
    ['a', { value: 1 }],
    5,
    ['b'],
    [['x'], { value: 1 }],
    ['c', null],
    ['d', { value: 2, expire: 'x' }],
  ]
  await writeFile(`${dir}-keyv`, JSON.stringify({ cache }))
  const backend = new FileBackend({ dir })
  const report = await importKeyvFile(backend, `${dir}-keyv`)
  expect(report).toMatchObject({ imported: 2, failed: 5 })
  expect(report.failures.map(({ at }) => at)).toEqual(['entry 0', 'entry 2', 'b', 'entry 4', 'c'])
  expect((await backend.getMany(['a', 'd'])).map((found) => found?.value)).toEqual([1, 2])
  await backend.close()
})
