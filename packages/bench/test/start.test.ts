import { expect, it } from 'vitest'
import type { ResultRow } from '../src/harness/suite.ts'
import { conclude } from '../src/start/suite.ts'

function result(row: string, candidate: string, value: number, ratio: number): ResultRow {
  return { suite: 'start', row, candidate, unit: 'ms', value, spread: 0, baseline: 'ioredis', ratio }
}

it('the goals of the start compare a figure or the times of the baseline', () => {
  const both = 'import of core, memory, redis and layered'
  expect(
    conclude([
      result('import of core and memory', '@cache', 8, 4),
      result('import of core and memory', 'lru-cache', 20, 1),
      result(both, '@cache', 30, 1.31),
    ]),
  ).toEqual([
    'goal met: import of core and memory 8.00 ms, at most 8',
    `goal MISSED: ${both} 1.31 times ioredis, at most 1.3`,
  ])
})
