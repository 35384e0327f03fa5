// The same, beginning with `require`. Every CommonJS file also loads by itself.
const assert = require('node:assert/strict')
const { dirname, join } = require('node:path')
const { entryPoints } = require('../entry-points.cjs')

async function main() {
  for (const name of entryPoints) {
    const required = require(name)
    const imported = await import(name)
    for (const key of Object.keys(imported)) assert.equal(required[key], imported[key], `${key} of ${name}`)
    const esm = require.resolve(name)
    assert.match(esm, /\.js$/)
    const common = require(esm.replace(/\.js$/, '.cjs'))
    assert.deepEqual(Object.keys(common).sort(), Object.keys(imported).sort(), name)
  }
  // One CommonJS file for the whole package of `CacheError`.
  const dist = dirname(require.resolve('@cache/core'))
  const { CacheError } = require(join(dist, 'index.cjs'))
  assert.equal(require(join(dist, 'backend.cjs')).CacheError, CacheError)
  const backend = await require('@cache/core/config').openBackend('memory:')
  assert.ok(backend instanceof require('@cache/memory').MemoryBackend)
  await backend.close()
}

void main()
