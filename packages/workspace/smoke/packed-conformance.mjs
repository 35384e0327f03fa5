// Run by `verify` under plain `node --test`, in a project that has only the packed packages. The conformance suite uses
// this test runner. Each package's own tests damage and break its store.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { conformance, createMovableClock } from '@cache/core/conformance'
// Whole packages, so that a missing name in one of them fails only its own rules.
import * as filePackage from '@cache/file'
import * as layeredPackage from '@cache/layered'
import * as memoryPackage from '@cache/memory'
import * as postgresPackage from '@cache/postgres'
import * as redisPackage from '@cache/redis'
import * as resilientPackage from '@cache/resilient'
import * as shardedPackage from '@cache/sharded'

const run = `packed-${process.versions.node}-${process.pid}`
const clock = createMovableClock()
const memory = (maxEntries = 1_000_000) => new memoryPackage.MemoryBackend({ maxEntries, clock })
let stores = 0

/** A harness for shared stores: every rule gets its own prefix. */
function prefixed(name, make) {
  let prefix = ''
  return {
    name,
    values: 'copies',
    open() {
      stores += 1
      prefix = `${run}:${stores}:`
      return make(prefix)
    },
    openSecond: () => make(prefix),
    openOther: () => make(`other:${prefix}`),
    async dispose() {
      for (const own of [prefix, `other:${prefix}`]) {
        const backend = make(own)
        await backend.clear()
        await backend.close()
      }
    },
  }
}

function files() {
  let dir = ''
  return {
    name: 'file, packed',
    values: 'copies',
    clock,
    async open() {
      dir = await mkdtemp(join(tmpdir(), 'cache-packed-'))
      return new filePackage.FileBackend({ dir, clock })
    },
    openSecond: () => new filePackage.FileBackend({ dir, clock }),
    reopen: () => new filePackage.FileBackend({ dir, clock }),
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
}

const harnesses = [
  { name: 'memory, packed', values: 'references', clock, open: () => memory(), openLimited: memory },
  {
    name: 'layered, packed',
    values: 'references',
    clock,
    open: () => new layeredPackage.LayeredBackend({ layers: [memory(), memory()], clock }),
  },
  {
    name: 'resilient, packed',
    values: 'references',
    clock,
    open: () => new resilientPackage.ResilientBackend({ backend: memory() }),
  },
  {
    name: 'sharded, packed',
    values: 'references',
    clock,
    open: () => new shardedPackage.ShardedBackend({ shards: { a: memory(), b: memory() } }),
  },
  files(),
  prefixed('redis, packed', (prefix) => new redisPackage.RedisBackend({ url: process.env.REDIS_URL, prefix })),
  prefixed(
    'postgres, packed',
    (prefix) => new postgresPackage.PostgresBackend({ url: process.env.POSTGRES_URL, prefix }),
  ),
]

for (const harness of harnesses) conformance(harness, { describe, it })
