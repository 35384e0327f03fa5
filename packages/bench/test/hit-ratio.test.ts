import { expect, it } from 'vitest'
import { losses } from '../src/hit-ratio/suite.ts'

it('the losses of a policy are against the best of the others in each row, the optimum left out', () => {
  const result = (row: string, candidate: string, value: number) => ({
    suite: 'hit-ratio',
    row,
    candidate,
    unit: '%',
    value,
    spread: 0,
    baseline: 'optimal',
    ratio: 1,
  })
  const rows = [
    result('a', 'optimal', 90),
    result('a', 'lru', 60),
    result('a', 'fifo', 50),
    result('b', 'optimal', 40),
    result('b', 'lru', 20),
    result('b', 'fifo', 23),
  ]
  expect(losses(rows)).toEqual([
    'lru loses 1.50 points to the best of the others in the mean, 3.0 at worst',
    'fifo loses 5.00 points to the best of the others in the mean, 10.0 at worst',
  ])
})
