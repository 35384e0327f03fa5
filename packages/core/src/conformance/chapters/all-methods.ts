import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Harness } from '../harness/harness.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { createRandom } from '../samples/random.ts'
import type { Stage } from '../stage/stage.ts'
import { Walk } from '../walk/walk.ts'
import type { Chapter } from './chapter.ts'

const sequenceKeys = ['a', 'b', 'a:1', 'a:2', 'A', '', 'é', '@#t', 'a%', '__proto__']
const sequencePrefixes = ['', 'a', 'a:', 'a%', 'b', 'nothing', '@']

const rules: readonly Rule[] = [
  rule({
    id: '14.1',
    says: 'a seeded random sequence of calls agrees with a simple model at every step',
    async check(stage) {
      const options = {
        seed: seedOf(stage.harness),
        steps: 1000,
        keys: sequenceKeys,
        prefixes: sequencePrefixes,
        moves: true,
      }
      await new Walk(stage, await openHandles(stage), options).run()
    },
  }),

  rule({
    id: '14.2',
    says: 'concurrent random sequences on separate keys each agree with their model',
    async check(stage) {
      const seed = seedOf(stage.harness)
      const handles = await openHandles(stage)
      const walks = Array.from({ length: 8 }, (_, n) => {
        const keys = sequenceKeys.map((key) => `walk ${n} ${key}`)
        const prefixes = ['', 'a', 'a:'].map((prefix) => `walk ${n} ${prefix}`)
        return new Walk(stage, handles, { seed: seed + n, steps: 150, keys, prefixes, moves: false }).run()
      })
      const ended = await Promise.allSettled(walks)
      for (const end of ended) if (end.status === 'rejected') throw end.reason
    },
  }),

  rule({
    id: '14.3',
    says: 'concurrent `compareAndSet` calls on the same keys replace no version twice and lose no item',
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
      for (const version of consumed)
        assert(written.has(version), `a version that was never written was replaced; ${again}`)
      // The items that were written and not replaced are the stored ones: one version for each key at most.
      const left = [...written].filter((version) => !consumed.includes(version))
      const there = (await Promise.all(['a', 'b'].map((key) => stage.backend.get(key)))).flatMap(
        (item) => item?.version ?? [],
      )
      assert.deepEqual(
        left.sort(),
        there.sort(),
        `the stored versions are those that were written and not replaced; ${again}`,
      )
    },
  }),
]

export const allMethods: Chapter = { title: '14 All methods together', rules }

/** The first handle, and a second where the harness can open one. */
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
