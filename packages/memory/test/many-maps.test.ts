import { expect, it } from 'vitest'
import { Overflow } from '../src/engine/overflow.ts'
import { GhostQueue } from '../src/policy/ghost-queue.ts'
import { numbersFrom, testSeed } from './random.ts'

it('a ghost queue of many sets works as one queue', () => {
  const random = numbersFrom(testSeed('ghost queue'))
  const queue = new GhostQueue(16)
  let model: number[] = []
  for (let step = 0; step < 20_000; step += 1) {
    const hash = Math.floor(random() * 300)
    const choice = random()
    if (choice < 0.6) {
      queue.add(hash)
      model = [...model.filter((other) => other !== hash), hash]
    } else if (choice < 0.9) {
      expect([step, queue.take(hash)]).toEqual([step, model.includes(hash)])
      model = model.filter((other) => other !== hash)
    } else if (choice < 0.999) {
      const most = Math.floor(random() * 200)
      queue.trim(most)
      model = model.slice(Math.max(0, model.length - most))
    } else {
      queue.clear()
      model = []
    }
  }
  for (let hash = 0; hash < 300; hash += 1) expect([hash, queue.take(hash)]).toEqual([hash, model.includes(hash)])
})

it('an overflow of many maps works as one map', () => {
  const random = numbersFrom(testSeed('overflow'))
  const overflow = new Overflow<number>(8)
  const model = new Map<number, number>()
  for (let step = 0; step < 20_000; step += 1) {
    const key = Math.floor(random() * 100)
    expect(overflow.get(key)).toBe(model.get(key))
    if (random() < 0.5) {
      overflow.delete(key)
      model.delete(key)
    } else if (!model.has(key)) {
      overflow.add(key, step)
      model.set(key, step)
    }
    expect(overflow.size).toBe(model.size)
  }
  expect([...overflow].sort(([a], [b]) => a - b)).toEqual([...model].sort(([a], [b]) => a - b))
})
