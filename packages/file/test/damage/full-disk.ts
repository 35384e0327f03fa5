/**
 * Fills a disk with items, deletes them without any other help, and prints the outcomes as JSON.
 *
 *     node full-disk.ts DIR HOW BYTES
 */
import { statfsSync } from 'node:fs'
import { cacheErrorCode, createVersion } from '@cache/core/backend'
import { FileBackend } from '../../src/index.ts'

const [dir = '', how = '', bytes = '0'] = process.argv.slice(2)
const open = (): FileBackend => new FileBackend({ dir, largeValueBytes: 50_000 })
let backend = open()

function set(key: string, size: number): Promise<unknown> {
  const item = { key, value: 'x'.repeat(size), version: createVersion(), createdAt: 1, tags: { all: 'v' } }
  return backend.set(item).then(() => 'stored', cacheErrorCode)
}

/** Values of the given size, then smaller ones, until nothing fits. */
let stored = 0
const refusals = new Set<unknown>()
for (const size of [Number(bytes), 3000, 300, 1]) {
  for (;;) {
    const outcome = await set(`key ${stored}`, size)
    if (outcome !== 'stored') {
      refusals.add(outcome)
      break
    }
    stored += 1
  }
}

const keys = Array.from({ length: stored }, (_, n) => `key ${n}`)
const failures: unknown[] = []
const attempt = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => void failures.push(cacheErrorCode(error)))
if (how === 'reopened') {
  await backend.close()
  backend = open()
}
if (how === 'delete one by one') for (const key of keys) await attempt(backend.delete(key))
else if (how === 'deleteMany') await attempt(backend.deleteMany(keys))
else if (how === 'deleteByTag') await attempt(backend.deleteByTag('all'))
else await attempt(backend.clear())
const left = (await backend.getMany(keys)).filter(Boolean).length
// The removal of the files follows the removal of their items.
await backend.close()
const { bavail, blocks } = statfsSync(dir)
backend = open()
const again = await set('again', Number(bytes))
await backend.close()
console.log(
  JSON.stringify({ refusals: [...refusals], many: stored > 20, failures, left, free: bavail > blocks / 3, again }),
)
