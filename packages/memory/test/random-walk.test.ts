import { expect, it } from 'vitest'
import { createEngine } from '../src/engine/create-engine.ts'
import { policyNames } from '../src/policy/create-policy.ts'
import type { EvictionPolicy } from '../src/policy/policy.ts'
import { checkEngine } from './check-engine.ts'
import { numbersFrom, testSeed } from './random.ts'

interface Entry {
  readonly value: { readonly weight: number }
  readonly deadline: number
}

/** Walks with an engine and a plain model of it side by side; the model hears of evictions, and of nothing else, from the engine. */
function walk(policy: EvictionPolicy, weighted: boolean, seed: number): void {
  const random = numbersFrom(seed)
  const model = new Map<string | number, Entry>()
  let now = 0
  const told = { entries: 0, bytes: 0, oversize: 0, expired: 0 }
  const engine = createEngine<string | number, Entry['value']>(
    {
      maxEntries: 40,
      ...(weighted ? { maxBytes: 600, weigh: (value: Entry['value']) => value.weight } : {}),
      policy,
      clock: { now: () => now },
      random,
    },
    {
      everyReason: true,
      emit: (key, value, reason) => {
        if (reason === 'entries' || reason === 'bytes' || reason === 'expired') {
          // What `set` finds expired under its key has been overwritten in the model already.
          if (model.get(key)?.value === value) model.delete(key)
          else expect(reason).toBe('expired')
        }
        if (reason in told) told[reason as keyof typeof told]++
      },
    },
    'test',
  )
  const live = (key: string | number): Entry | undefined => {
    const entry = model.get(key)
    return entry !== undefined && entry.deadline > now ? entry : undefined
  }
  for (let step = 0; step < 6000; step++) {
    const number = Math.floor(random() ** 2 * 120)
    const key = number % 3 === 0 ? number : `key:${number}`
    const choice = random()
    if (choice < 0.45) expect(engine.get(key)).toBe(live(key)?.value)
    else if (choice < 0.85) {
      const value = { weight: Math.floor(random() ** 4 * 400) }
      const deadline = random() < 0.3 ? now + Math.floor(random() * 50) : Number.POSITIVE_INFINITY
      const fits = !weighted || value.weight <= 300
      model.delete(key)
      const stored = fits && deadline > now
      if (stored) model.set(key, { value, deadline })
      expect(engine.set(key, value, deadline)).toBe(stored)
    } else if (choice < 0.93) {
      expect(engine.delete(key)).toBe(live(key) !== undefined)
      model.delete(key)
    } else if (choice < 0.98) now += Math.floor(random() * 10)
    else if (choice < 0.99) engine.resize(10 + Math.floor(random() * 60))
    else if (choice < 0.992) {
      engine.clear()
      model.clear()
    } else engine.removeExpired()
    checkEngine(engine)
    const held = new Set<string | number>()
    for (let slot = 0; slot < engine.slots.high; slot++)
      if (engine.slots.isLive(slot)) held.add(engine.slots.keyAt(slot))
    for (const known of held)
      expect(engine.slots.valueAt(engine.index.find(known, engine.index.hash(known)))).toBe(model.get(known)?.value)
    expect(held.size).toBe(model.size)
  }
  expect(told.entries).toBe(engine.evictedForEntries)
  expect(told.bytes).toBe(engine.evictedForBytes)
  expect(told.oversize).toBe(engine.refused)
  expect(told.expired).toBe(engine.expired)
  expect(told.expired).toBeGreaterThan(0)
  expect(told.entries).toBeGreaterThan(0)
  if (weighted) expect(told.bytes).toBeGreaterThan(0)
}

for (const policy of policyNames) {
  it(`${policy} and a plain model agree after every step of a random walk`, () => {
    walk(policy, false, testSeed(policy))
  })
  it(`${policy} with weights and a plain model agree after every step of a random walk`, () => {
    walk(policy, true, testSeed(`${policy} with weights`))
  })
}
