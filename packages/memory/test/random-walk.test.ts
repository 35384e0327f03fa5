import { expect, it } from 'vitest'
import { createEngine } from '../src/engine/create-engine.ts'
import { policyNames } from '../src/policy/create-policy.ts'
import type { EvictionPolicy } from '../src/policy/policy.ts'
import { checkEngine } from './check-engine.ts'
import { numbersFrom, testSeed } from './random.ts'

interface Entry {
  readonly value: { readonly weight: number }
  readonly expiresAt: number
}

/** Applies random steps to an engine and to a simple model of it. The model learns of evictions from the engine, and of nothing else. */
function walk(policy: EvictionPolicy, weighted: boolean, seed: number): void {
  const random = numbersFrom(seed)
  const model = new Map<string | number, Entry>()
  let now = 0
  const emitted = { entries: 0, bytes: 0, oversize: 0, expired: 0 }
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
          // The model has already overwritten the entry that `set` finds expired under its key.
          if (model.get(key)?.value === value) model.delete(key)
          else expect(reason).toBe('expired')
        }
        if (reason in emitted) emitted[reason as keyof typeof emitted] += 1
      },
    },
    'test',
  )
  const live = (key: string | number): Entry | undefined => {
    const entry = model.get(key)
    return entry !== undefined && entry.expiresAt > now ? entry : undefined
  }
  for (let step = 0; step < 6000; step += 1) {
    const number = Math.floor(random() ** 2 * 120)
    const key = number % 3 === 0 ? number : `key:${number}`
    const choice = random()
    if (choice < 0.45) expect(engine.get(key)).toBe(live(key)?.value)
    else if (choice < 0.85) {
      const value = { weight: Math.floor(random() ** 4 * 400) }
      const expiresAt = random() < 0.3 ? now + Math.floor(random() * 50) : Number.POSITIVE_INFINITY
      const fits = !weighted || value.weight <= 300
      model.delete(key)
      const stored = fits && expiresAt > now
      if (stored) model.set(key, { value, expiresAt })
      expect(engine.set(key, value, expiresAt)).toBe(stored)
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
    for (let slot = 0; slot < engine.slots.high; slot += 1)
      if (engine.slots.isLive(slot)) held.add(engine.slots.keyAt(slot))
    for (const known of held)
      expect(engine.slots.valueAt(engine.index.find(known, engine.index.hash(known)))).toBe(model.get(known)?.value)
    expect(held.size).toBe(model.size)
  }
  expect(emitted.entries).toBe(engine.evictedForEntries)
  expect(emitted.bytes).toBe(engine.evictedForBytes)
  expect(emitted.oversize).toBe(engine.refused)
  expect(emitted.expired).toBe(engine.expired)
  expect(emitted.expired).toBeGreaterThan(0)
  expect(emitted.entries).toBeGreaterThan(0)
  if (weighted) expect(emitted.bytes).toBeGreaterThan(0)
}

for (const policy of policyNames) {
  it(`${policy} and a plain model agree after every step of a random walk`, () => {
    walk(policy, false, testSeed(policy))
  })
  it(`${policy} with weights and a plain model agree after every step of a random walk`, () => {
    walk(policy, true, testSeed(`${policy} with weights`))
  })
}
