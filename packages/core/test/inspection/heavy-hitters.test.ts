import { describe, expect, it } from 'vitest'
import { HeavyHitters } from '../../src/inspection/heavy-hitters.ts'

describe('HeavyHitters', () => {
  it('finds every name with more than one in `capacity` of all counts, in bounded memory', () => {
    const hitters = new HeavyHitters(10)
    for (let round = 0; round < 1000; round += 1) {
      hitters.count('hot')
      if (round % 2 === 0) hitters.count('warm')
      for (let other = 0; other < 2; other += 1) hitters.count(`rare ${round} ${other}`)
    }
    // 3,500 counts: a name may be short by 350.
    const [first, second] = hitters.top(2)
    expect([first?.key, second?.key]).toEqual(['hot', 'warm'])
    expect(first?.count).toBeGreaterThanOrEqual(650)
    expect(hitters.top(1000).length).toBeLessThanOrEqual(10)
  })
})
