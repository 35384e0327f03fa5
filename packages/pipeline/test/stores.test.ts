import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache, type CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { RedisBackend } from '@cache/redis'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { input, pipeline } from '../src/index.ts'
import { counting, gate } from './rig.ts'

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cache-pipeline-test-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function prefix(): string {
  return `pipeline-${process.pid}-${Math.random().toString(36).slice(2)}`
}

/** A store, as a function that opens another backend on it: each stands for a process. */
const stores: Readonly<Record<string, () => () => CacheBackend>> = {
  file: () => {
    const dir = directory()
    return () => new FileBackend({ dir })
  },
  redis: () => {
    const own = prefix()
    return () => new RedisBackend({ url: inject('redisUrl'), prefix: own })
  },
}

function openCache(backend: CacheBackend): Cache {
  const cache = new Cache({ backend })
  onTestFinished(() => cache.close())
  return cache
}

/** Results of every kind that the stores keep. */
const results: readonly unknown[] = [
  'text',
  '\ud800 lone',
  -0,
  Number.NaN,
  2n ** 100n,
  null,
  undefined,
  [undefined, null, [], {}],
  { a: undefined, __proto: 1, date: new Date(5), invalid: new Date(Number.NaN) },
  new Map<unknown, unknown>([
    [1, 'a'],
    [{ key: 1 }, new Set([1n])],
  ]),
  Uint8Array.of(1, 2),
  Buffer.from('buffer'),
  Float64Array.of(-0, 1.5),
  new BigInt64Array(2),
  Uint8Array.of(1, 2, 3).buffer,
  new DataView(new ArrayBuffer(3), 1),
  /pattern/giu,
  Object.assign(Object.create(null), { a: 1 }),
  'x'.repeat(200_000),
  Buffer.alloc(300_000, 7),
]

for (const [name, open] of Object.entries(stores)) {
  describe(`a pipeline on ${name}`, () => {
    it('finds results of every kind unchanged in another process', async () => {
      const backend = open()
      const make = (cache: Cache) => {
        const p = pipeline({ name: 'p', cache, inputs: { index: input<number>() } })
        const damage: string[] = []
        p.on('damaged', ({ node }) => damage.push(node))
        p.on('notStored', ({ error }) => damage.push(String(error)))
        return { p, damage, one: p.node('one', { version: '1' }, ({ index }) => results[index]) }
      }
      const writer = make(openCache(backend()))
      const reader = make(openCache(backend()))
      for (const index of results.keys()) {
        await writer.p.run(writer.one, { index })
        const { value, report } = await reader.p.run(reader.one, { index })
        expect(report.toText()).toContain('HIT')
        expect(value).toEqual(results[index])
      }
      expect([...writer.damage, ...reader.damage]).toEqual([])
    })

    it('is computed once by two processes at the same time', async () => {
      const backend = open()
      const { opened, open: go } = gate()
      const begun = gate()
      const load = counting(async () => {
        begun.open()
        await opened
        return [1, 2, 3]
      })
      const item = counting((n: number) => n * 2)
      const run = async (cache: Cache) => {
        const p = pipeline({ name: 'p', cache })
        const list = p.node('list', { version: '1' }, load)
        const more = p.map('more', { version: '1', over: list }, item)
        const sum = p.node('sum', { version: '1', deps: { more } }, ({ more }) => more.join())
        return await p.run(sum)
      }
      const first = run(openCache(backend()))
      await begun.opened
      const other = openCache(backend())
      const missed = new Promise((resolve) => other.on('miss', resolve))
      const second = run(other)
      await missed
      go()
      const runs = await Promise.all([first, second])
      expect(runs.map(({ value }) => value)).toEqual(['2,4,6', '2,4,6'])
      expect([load.calls.length, item.calls.length]).toEqual([1, 3])
    })

    it('clears one pipeline, and collects its unnamed results', async () => {
      const cache = openCache(open()())
      const pipelines = ['p', 'q'].map((own) => {
        const p = pipeline({ name: own, cache })
        return { p, one: p.node('one', { version: '1' }, () => own) }
      })
      for (const { p, one } of pipelines) await p.run(one)
      const [first, second] = pipelines
      await first?.p.clear()
      expect((await first?.p.run(first.one))?.report.hits).toBe(0)
      expect((await second?.p.run(second.one))?.report.hits).toBe(1)
      await cache.namespace('pipeline').namespace('q').deleteByPrefix('record:')
      expect(await first?.p.collect({ grace: 0 })).toEqual({ removed: 0, kept: 1 })
      expect(await second?.p.collect({ grace: 0 })).toEqual({ removed: 1, kept: 0 })
    })
  })
}
