import { cp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { pageBytes } from '../../src/index/schema.ts'
import { type Engine, FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'
import { item } from '../items.ts'
import { createRandom, seedOf } from '../random.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { codesOf } from './events.ts'

async function indexOf(dir: string): Promise<string> {
  return join(dir, (await readFile(join(dir, 'current'), 'utf8')).trim())
}

function textOf(n: number): unknown {
  return { n, text: 'abc'.repeat(40) }
}

/** A closed store of that many items. */
async function filled(count: number): Promise<string> {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.setMany(Array.from({ length: count }, (_, n) => item(`key ${n}`, textOf(n))))
  await backend.close()
  return dir
}

it.each<Engine>(['node:sqlite', 'better-sqlite3'])(
  'an index without its last page keeps all other items with %s',
  async (engine) => {
    const dir = await filled(2000)
    const path = await indexOf(dir)
    await truncate(path, (await stat(path)).size - pageBytes)
    const backend = new FileBackend({ dir, engine })
    const codes = codesOf(backend)
    const found = await backend.getMany(Array.from({ length: 2000 }, (_, n) => `key ${n}`))
    expect(found.filter(Boolean).length).toBeGreaterThan(1980)
    for (const [n, one] of found.entries()) if (one !== undefined) expect(one.value).toEqual(textOf(n))
    expect(codes).toEqual(['DAMAGED', 'DAMAGED'])
    expect((await check(backend)).problems).toEqual([])
    await backend.close()
  },
)

it.each<[string, (header: Buffer) => unknown]>([
  ['without its first hundred bytes', (header) => header.fill(0, 0, 100)],
  ['with another page size', (header) => header.writeUInt16BE(512, 16)],
  ['with another magic text', (header) => header.write('SQLITE')],
  ['with reserved bytes', (header) => header.writeUInt8(200, 20)],
  ['with another text encoding', (header) => header.writeUInt32BE(2, 56)],
])('an index %s keeps all items', async (_, damage) => {
  const dir = await filled(2000)
  const path = await indexOf(dir)
  const bytes = await readFile(path)
  damage(bytes)
  await writeFile(path, bytes)
  const backend = new FileBackend({ dir })
  const codes = codesOf(backend)
  const found = await backend.getMany(Array.from({ length: 2000 }, (_, n) => `key ${n}`))
  expect(found.map((one) => one?.value)).toEqual(Array.from({ length: 2000 }, (_, n) => textOf(n)))
  expect(new Set(codes)).toEqual(new Set(['DAMAGED']))
  expect((await check(backend)).problems).toEqual([])
  await backend.close()
})

it('an index truncated at any page gives no wrong value, reports the damage and works again', async () => {
  const dir = await filled(600)
  const path = await indexOf(dir)
  const pages = (await stat(path)).size / pageBytes
  const counts: number[] = []
  for (let kept = pages - 1; kept >= 0; kept -= Math.ceil(pages / 12)) {
    const own = `${dir}-${kept}`
    await cp(dir, own, { recursive: true })
    await truncate(await indexOf(own), kept * pageBytes)
    const backend = new FileBackend({ dir: own })
    const codes = codesOf(backend)
    const found = await backend.getMany(Array.from({ length: 600 }, (_, n) => `key ${n}`))
    for (const [n, one] of found.entries()) if (one !== undefined) expect(one.value, `${kept} pages`).toEqual(textOf(n))
    expect(new Set(codes), `${kept} pages`).toEqual(new Set(['DAMAGED']))
    counts.push(found.filter(Boolean).length)
    await backend.set(item('key 7', 'new'))
    expect((await backend.get('key 7'))?.value, `${kept} pages`).toBe('new')
    expect((await check(backend)).problems, `${kept} pages`).toEqual([])
    await backend.close()
  }
  expect(counts[0]).toBeGreaterThan(570)
}, 600_000)

it('items after a gap of damaged pages are kept from the first one on', async () => {
  const dir = await filled(2000)
  const path = await indexOf(dir)
  const bytes = await readFile(path)
  const pages = bytes.length / pageBytes
  // A stretch of pages in the middle, which have mostly items.
  bytes.fill(0xee, Math.floor(pages * 0.5) * pageBytes, Math.floor(pages * 0.55) * pageBytes)
  await writeFile(path, bytes)
  const backend = new FileBackend({ dir })
  const found = await backend.getMany(Array.from({ length: 2000 }, (_, n) => `key ${n}`))
  const last = await backend.getMany(Array.from({ length: 2000 }, (_, n) => `key ${n}`))
  expect(Math.max(found.filter(Boolean).length, last.filter(Boolean).length)).toBeGreaterThan(1850)
  await backend.close()
})

it('a file `current` with any flipped bit never hides the items without an error or an event', async () => {
  const dir = await filled(3)
  const name = await readFile(join(dir, 'current'))
  for (let bit = 0; bit < name.length * 8; bit += 1) {
    const bytes = Buffer.from(name)
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
    const indexes = (await readdir(dir)).filter((entry) => /^index-.*sqlite$/.test(entry))
    expect(indexes, `bit ${bit}`).toEqual([name.toString().trim()])
    await writeFile(join(dir, 'current'), bytes)
    const backend = new FileBackend({ dir })
    const codes = codesOf(backend)
    expect((await backend.get('key 1'))?.value, `bit ${bit}`).toEqual(textOf(1))
    // A flip in the white space at the end may leave the same name.
    if (bytes.toString('latin1').trim() !== name.toString().trim()) expect(codes, `bit ${bit}`).toEqual(['DAMAGED'])
    await backend.close()
    expect(await readFile(join(dir, 'current'), 'latin1'), `bit ${bit}`).toContain(name.toString().trim())
    await writeFile(join(dir, 'current'), name)
  }
}, 600_000)

it('an index that does not exist is an event, and `current` names a new one', async () => {
  const dir = await filled(3)
  await writeFile(join(dir, 'current'), 'index-1-00000000.sqlite\n')
  const path = await indexOf(dir)
  expect(path).toContain('00000000')
  const backend = new FileBackend({ dir })
  const codes = codesOf(backend)
  expect((await backend.get('key 2'))?.value).toEqual(textOf(2))
  expect(codes).toEqual(['DAMAGED'])
  await backend.close()
})

it('flipped bits in any file of a store give no wrong value, and every call settles', async () => {
  const seed = seedOf('FLIP_SEED')
  const random = createRandom(seed)
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir: `${dir}-open`, largeValueBytes: 2000 })
  const values = Array.from({ length: 60 }, (_, n) => `${n}`.repeat(n % 5 === 0 ? 3000 : 30))
  await backend.setMany(values.map((value, n) => item(`key ${n}`, value)))
  await cp(`${dir}-open`, dir, { recursive: true })
  await backend.close()
  const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  for (const [round, entry] of files.entries()) {
    const own = `${dir}-${round}`
    await cp(dir, own, { recursive: true })
    const path = join(entry.parentPath, entry.name).replace(dir, own)
    const bytes = await readFile(path)
    const repeat = `${path}; repeat with FLIP_SEED=${seed}`
    if (bytes.length === 0) continue
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
    await writeFile(path, bytes)
    const damagedBackend = new FileBackend({ dir: own, largeValueBytes: 2000 })
    const keys = values.map((_, n) => `key ${n}`)
    for (const [n, found] of (await damagedBackend.getMany(keys)).entries()) {
      if (found !== undefined) expect(found.value, repeat).toBe(values[n])
    }
    await check(damagedBackend, { fix: true })
    await damagedBackend.set(item('key 1', 'new'))
    expect((await damagedBackend.get('key 1'))?.value, repeat).toBe('new')
    await damagedBackend.close()
  }
}, 600_000)
