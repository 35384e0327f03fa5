/**
 * Writes one item into a directory that may not exist yet, and prints the value that it reads.
 *
 *     node first-write.ts DIR KEY
 */
import { createVersion } from '@cache/core/backend'
import { FileBackend } from '../../src/index.ts'

const [dir = '', key = ''] = process.argv.slice(2)
const backend = new FileBackend({ dir })
await backend.set({ key, value: key, version: createVersion(), createdAt: 1 })
console.log((await backend.get(key))?.value)
await backend.close()
