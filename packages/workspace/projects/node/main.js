// ES modules that also `require`: each class exists once, on whichever path it is loaded.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { openBackend } from '@cache/core/config'
import { MemoryBackend } from '@cache/memory'
import { entryPoints } from '../entry-points.cjs'

const require = createRequire(import.meta.url)

for (const name of entryPoints) {
  const imported = await import(name)
  const required = require(name)
  assert.ok(Object.keys(imported).length > 0, name)
  for (const key of Object.keys(imported)) assert.equal(required[key], imported[key], `${key} of ${name}`)
}

// A configuration uses the classes that the application imports.
const backend = await openBackend('memory:')
assert.ok(backend instanceof MemoryBackend)
await backend.close()
