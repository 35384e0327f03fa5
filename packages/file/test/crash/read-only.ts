/**
 * Uses a directory without write permission, and prints the outcomes as JSON. Root may write anywhere, so it
 * becomes another user first.
 *
 *     node read-only.ts DIR
 */
import { cacheErrorCode, createVersion } from '@cache/core/backend'
import { FileBackend } from '../../src/index.ts'

const [dir = ''] = process.argv.slice(2)
if (process.getuid?.() === 0) process.setuid?.(65_534)
const backend = new FileBackend({ dir })
const outcome = (working: Promise<unknown>): Promise<unknown> => working.then((value) => value, cacheErrorCode)
const item = { key: 'b', value: 1, version: createVersion(), createdAt: 1 }
const result = {
  get: await outcome(backend.get('a').then((found) => found?.value)),
  large: await outcome(backend.get('large').then((found) => (found?.value as string | undefined)?.length)),
  set: await outcome(backend.set(item)),
  setLarge: await outcome(backend.set({ ...item, value: 'x'.repeat(400_000) })),
  delete: await outcome(backend.delete('a')),
  increment: await outcome(backend.increment('n', 1)),
  again: await outcome(backend.get('a').then((found) => found?.value)),
}
await backend.close()
console.log(JSON.stringify(result))
