// Run by `verify` in an empty project that has only `@cache/core` and the package named by the first argument installed
// from their tarballs (and what that depends on). Plain JavaScript, because the oldest Node that it runs on has no types.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [name] = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'cache-smoke-'))

/** A backend made as an application makes it, by the package's name. */
const backends = {
  '@cache/memory': async () => {
    const { MemoryBackend } = await import('@cache/memory')
    return new MemoryBackend({ maxEntries: 100 })
  },
}

async function useBackend(backend) {
  const item = { key: 'greeting', value: { text: 'hello', at: new Date(0) }, version: 'v1', createdAt: 1 }
  await backend.set(item)
  assert.deepEqual((await backend.get('greeting'))?.value, item.value)
  assert.equal(await backend.delete('greeting'), true)
  assert.equal(await backend.get('greeting'), undefined)
}

try {
  assert.ok(backends[name], `there is no smoke for ${name}`)
  const backend = await backends[name]()
  await useBackend(backend)
  await backend.close?.()
} finally {
  await rm(folder, { recursive: true })
}
console.log(`${name} works on Node ${process.versions.node}`)
