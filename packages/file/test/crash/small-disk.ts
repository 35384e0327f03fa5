/**
 * Fills a directory on a nearly full disk, then frees space, and prints the outcomes as JSON.
 *
 *     node small-disk.ts DIR BALLAST
 */
import { unlinkSync } from 'node:fs'
import { cacheErrorCode, createVersion } from '@cache/core/backend'
import { FileBackend } from '../../src/index.ts'
import { valueFiles } from '../conformance/file-harness.ts'

const [dir = '', ballast = ''] = process.argv.slice(2)
const backend = new FileBackend({ dir })
const text = 'x'.repeat(20_000)

function set(key: string, value: unknown): Promise<unknown> {
  return backend.set({ key, value, version: createVersion(), createdAt: 1 }).then(() => 'stored', cacheErrorCode)
}

let stored = 0
let refused: unknown
for (; refused === undefined; stored += 1) {
  const outcome = await set(`key ${stored}`, text)
  if (outcome !== 'stored') {
    refused = outcome
    break
  }
}
const large = await set('large', 'x'.repeat(3_000_000))
let readable = 0
for (let n = 0; n < stored; n += 1) if ((await backend.get(`key ${n}`))?.value === text) readable += 1
const leftOver = (await valueFiles(dir)).length
unlinkSync(ballast)
const afterwards = await set('after', 1)
const found = (await backend.get('after'))?.value
await backend.close()
console.log(JSON.stringify({ refused, large, stored, readable, leftOver, afterwards, found }))
