import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Harness } from '../harness/harness.ts'
import { type Rule, rule } from '../rules/rule.ts'
import { createRandom } from '../samples/random.ts'
import type { Stage } from '../stage/stage.ts'
import { Walk } from '../walk/walk.ts'
import type { Chapter } from './chapter.ts'

const boardKeys = ['a', 'b', 'a:1', 'a:2', 'A', '', 'é', '@#t', 'a%', '__proto__']
const boardPrefixes = ['', 'a', 'a:', 'a%', 'b', 'nobody', '@']

const rules: readonly Rule[] = [
  rule({
    id: '14.1',
    says: 'a seeded random walk of operations agrees with a plain model at every step',
    async check(stage) {
      const options = {
        seed: seedOf(stage.harness),
        steps: 1000,
        keys: boardKeys,
        prefixes: boardPrefixes,
        moves: true,
      }
      await new Walk(stage, await openHandles(stage), options).run()
    },
  }),

  rule({
    id: '14.2',
    says: 'walks at once on keys of their own each agree with their model',
    async check(stage) {
      const seed = seedOf(stage.harness)
      const handles = await openHandles(stage)
      const walks = Array.from({ length: 8 }, (_, n) => {
        const keys = boardKeys.map((key) => `walk ${n} ${key}`)
        const prefixes = ['', 'a', 'a:'].map((prefix) => `walk ${n} ${prefix}`)
        return new Walk(stage, handles, { seed: seed + n, steps: 150, keys, prefixes, moves: false }).run()
      })
      const ended = await Promise.allSettled(walks)
      for (const end of ended) if (end.status === 'rejected') throw end.reason
    },
  }),

  rule({
    id: '14.3',
    says: 'of concurrent `compareAndSet` calls on the same keys none replaces a version twice and none is lost',
    members: ['compareAndSet'],
    async check(stage) {
      const seed = seedOf(stage.harness)
      const handles = await openHandles(stage)
      const consumed: string[] = []
      const written = new Set<string>()
      const walkers = Array.from({ length: 8 }, async (_, n) => {
        const random = createRandom(seed + n)
        for (let step = 0; step < 40; step += 1) {
          const handle = handles[(n + step) % handles.length] as CacheBackend
          const key = random.pick(['a', 'b'])
          const found = await handle.get(key)
          const next = random.below(6) === 0 ? undefined : stage.item(key, n)
          if (!(await handle.compareAndSet?.(key, found?.version, next))) continue
          if (found) consumed.push(found.version)
          if (next) written.add(next.version)
        }
      })
      await Promise.all(walkers)
      const again = `repeat with CONFORMANCE_SEED=${seed}`
      assert.equal(new Set(consumed).size, consumed.length, `a version was replaced twice; ${again}`)
      for (const version of consumed) assert(written.has(version), `a version that nobody wrote was replaced; ${again}`)
      // What was written and not replaced is what is there: one version for each key at most.
      const left = [...written].filter((version) => !consumed.includes(version))
      const there = (await Promise.all(['a', 'b'].map((key) => stage.backend.get(key)))).flatMap(
        (item) => item?.version ?? [],
      )
      assert.deepEqual(left.sort(), there.sort(), `what was written and never replaced is what is there; ${again}`)
    },
  }),
]

export const walking: Chapter = { title: '14 Everything at once', rules }

/** The first handle, and a second where there may be one. */
async function openHandles(stage: Pick<Stage, 'backend' | 'harness' | 'opened'>): Promise<CacheBackend[]> {
  const { openSecond } = stage.harness
  return openSecond
    ? [stage.backend, await stage.opened(stage.harness.openSecond?.() as CacheBackend)]
    : [stage.backend]
}

function seedOf(harness: Harness): number {
  const given = process.env.CONFORMANCE_SEED
  if (given !== undefined && given !== '') return Number(given)
  return harness.seed ?? Math.floor(Math.random() * 2 ** 31)
}
