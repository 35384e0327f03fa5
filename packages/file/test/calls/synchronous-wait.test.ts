import { execFileSync } from 'node:child_process'
import { cp, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const source = JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)

/** Sets the keys to a value in another process, while this one waits without its event loop. */
function setElsewhere(dir: string, keys: readonly string[], value: string): void {
  const program = `
    import { FileBackend } from ${source}
    const backend = new FileBackend({ dir: process.argv[1] })
    for (const key of process.argv.slice(3))
      await backend.set({ key, value: process.argv[2], version: 'elsewhere', createdAt: 1 })
    await backend.close()`
  execFileSync(process.execPath, ['--input-type=module', '-e', program, dir, value, ...keys])
}

it('reads after a synchronous wait see the writes of another process, also within one tick', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const keys = ['a', 'b', 'c', 'd']
  await backend.setMany(keys.map((key) => item(key, 'old')))
  // Several reads in each of several ticks, after which reads of one tick could share a snapshot.
  for (let tick = 0; tick < 3; tick += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.all(keys.map((key) => backend.get(key)))
  }
  await new Promise((resolve) => setImmediate(resolve))
  const before = keys.map((key) => backend.get(key))
  setElsewhere(dir, keys, 'new')
  const after = [...keys.map((key) => backend.get(key)), backend.getMany(keys)]
  expect((await Promise.all(before)).map((found) => found?.value)).toEqual(keys.map(() => 'old'))
  const values = (await Promise.all(after)).flat().map((found) => found?.value)
  expect(values).toEqual([...keys, ...keys].map(() => 'new'))
  await backend.close()
}, 120_000)

it('a read between two awaits sees the commit that another connection made after the last read', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 0))
  const other = new FileBackend({ dir })
  const name = (await readFile(join(dir, 'current'), 'utf8')).trim()
  await other.set(item('b', 0))
  const database = new DatabaseSync(join(dir, name))
  const values: unknown[] = []
  for (let n = 0; n < 50; n += 1) {
    const [from, to] = n % 2 === 0 ? ['b', 'hidden'] : ['hidden', 'b']
    database.exec(`update item set key = '${to}' where key = '${from}'`)
    // Only promise callbacks run in between, so all reads are in one tick.
    values.push((await backend.get('a')) !== undefined, (await backend.get('b')) !== undefined)
  }
  database.close()
  expect(values).toEqual(Array.from({ length: 50 }, (_, n) => [true, n % 2 === 1]).flat())
  await other.close()
  await backend.close()
})

it('a read after a synchronous wait uses the index that another process made the current one', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 'old'))
  const copy = `${dir}-copy`
  await backend.get('a')
  await cp(dir, copy, { recursive: true })
  setElsewhere(copy, ['a'], 'new')
  const name = (await readFile(join(copy, 'current'), 'utf8')).trim()
  const fresh = 'index-1-00000001.sqlite'
  await rename(join(copy, name), join(dir, fresh))
  await writeFile(`${dir}.current`, `${fresh}\n`)
  await new Promise((resolve) => setImmediate(resolve))
  const before = backend.get('a')
  // The child takes longer than the time after which a handle looks again.
  execFileSync('mv', [`${dir}.current`, join(dir, 'current')])
  const started = performance.now()
  while (performance.now() - started < 6);
  const after = backend.get('a')
  expect([(await before)?.value, (await after)?.value]).toEqual(['old', 'new'])
  await backend.close()
}, 120_000)
