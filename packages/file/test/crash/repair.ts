/**
 * Checks a directory and repairs its damage.
 *
 *     node repair.ts DIR
 */

import { FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'

const [dir = ''] = process.argv.slice(2)
const backend = new FileBackend({ dir })
await check(backend, { fix: true })
await backend.close()
