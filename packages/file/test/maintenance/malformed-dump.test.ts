import { writeFile } from 'node:fs/promises'
import { frame } from '@cache/codecs'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { importFrom } from '../../src/maintenance/index.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const good = { key: 'a', value: 1, version: 'v', createdAt: 1 }
const bytes = Buffer.from([frame.formatVersion, 0, 0])

const malformed: readonly [string, unknown][] = [
  ['an array', [good]],
  ['null', null],
  ['a number', 5],
  ['no key', { ...good, key: undefined }],
  ['a key that is a number', { ...good, key: 5 }],
  ['no value', { ...good, value: undefined }],
  ['no version', { ...good, version: undefined }],
  ['an empty version', { ...good, version: '' }],
  ['a version with other characters', { ...good, version: 'é' }],
  ['a version of 256 characters', { ...good, version: 'v'.repeat(256) }],
  ['no createdAt', { ...good, createdAt: undefined }],
  ['a fractional createdAt', { ...good, createdAt: 1.5 }],
  ['an expiresAt that is text', { ...good, expiresAt: '2030' }],
  ['an expiresAt that is null', { ...good, expiresAt: null }],
  ['an expiresAt above 2^53', { ...good, expiresAt: 2 ** 60 }],
  ['a staleAt that is an object', { ...good, staleAt: {} }],
  ['a negative cost', { ...good, cost: -1 }],
  ['a cost that is text', { ...good, cost: '1' }],
  ['tags in an array', { ...good, tags: ['t'] }],
  ['tags that are text', { ...good, tags: 't' }],
  ['tags that are null', { ...good, tags: null }],
  ['a tag whose version is a number', { ...good, tags: { t: 1 } }],
  ['a frame that is a number', { key: 'a', frame: 5 }],
  ['a frame with other characters', { key: 'a', frame: '****' }],
  ['a frame of a wrong length', { key: 'a', frame: 'AAA' }],
  ['a frame that holds no item', { key: 'a', frame: bytes.toString('base64') }],
  ['a frame of null', { ...good, frame: null }],
]

it.each(malformed)('a line with %s is reported and stores nothing', async (_, line) => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const header = '{"format":"@cache/file dump","version":1}'
  await writeFile(`${dir}.dump`, [header, JSON.stringify(line), JSON.stringify({ ...good, key: 'b' })].join('\n'))
  expect(await importFrom(backend, `${dir}.dump`)).toMatchObject({
    imported: 1,
    failed: 1,
    failures: [{ at: 'line 2' }],
  })
  const keys: string[] = []
  for await (const key of backend.keys()) keys.push(key)
  expect(keys).toEqual(['b'])
  await backend.close()
})

it('members that no item has are left out', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const line =
    '{"key":"a","value":{"b":1},"version":"v","createdAt":1,"other":2,"__proto__":{"cost":3},"tags":{"__proto__":"w"}}'
  await writeFile(`${dir}.dump`, `{"format":"@cache/file dump","version":1}\n${line}\n`)
  expect((await importFrom(backend, `${dir}.dump`)).imported).toBe(1)
  const found = await backend.get('a')
  expect(Object.keys(found ?? {}).sort()).toEqual(['createdAt', 'key', 'tags', 'value', 'version'])
  expect(Object.keys(found?.tags ?? {})).toEqual(['__proto__'])
  await backend.close()
})
