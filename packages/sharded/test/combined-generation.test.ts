import type { NearReader } from '@cache/core/backend'
import { describe, expect, it } from 'vitest'
import { combinedGeneration } from '../src/combined-generation.ts'

function reader(generation: number | undefined): NearReader & { now: number | undefined } {
  const own = { now: generation, get: () => undefined, generation: () => own.now }
  return own
}

describe('the generation of several near readers', () => {
  it('stays while the generation of each reader stays', () => {
    const generation = combinedGeneration([reader(1), reader(2)], () => true)
    const first = generation()
    expect(first).toBeTypeOf('number')
    expect(generation()).toBe(first)
  })

  it('changes with the generation of each reader, and never returns to an earlier number', () => {
    const readers = [reader(1), reader(1), reader(1)]
    const generation = combinedGeneration(readers, () => true)
    const seen = [generation()]
    for (const own of readers) {
      own.now = 2
      seen.push(generation())
      own.now = 1
      seen.push(generation())
    }
    expect(new Set(seen).size).toBe(7)
  })

  it('is undefined while one reader does not know its own, and is new afterwards', () => {
    const readers = [reader(1), reader(2)] as const
    const generation = combinedGeneration(readers, () => true)
    const first = generation()
    readers[1].now = undefined
    expect(generation()).toBe(undefined)
    readers[1].now = 2
    expect(generation()).toBeTypeOf('number')
    expect(generation()).not.toBe(first)
    const without: NearReader = { get: () => undefined }
    expect(combinedGeneration([reader(1), without], () => true)()).toBe(undefined)
  })

  it('is undefined after close', () => {
    let isOpen = true
    const generation = combinedGeneration([reader(1)], () => isOpen)
    expect(generation()).toBeTypeOf('number')
    isOpen = false
    expect(generation()).toBe(undefined)
  })
})
