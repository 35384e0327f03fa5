import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** The time between the starts of two racing calls. */
const leads: readonly { readonly turns: number; readonly microtasks: number }[] = [
  { turns: 0, microtasks: 0 },
  { turns: 0, microtasks: 1 },
  { turns: 0, microtasks: 2 },
  { turns: 0, microtasks: 3 },
  { turns: 0, microtasks: 5 },
  { turns: 1, microtasks: 0 },
  { turns: 1, microtasks: 1 },
  { turns: 1, microtasks: 3 },
  { turns: 2, microtasks: 0 },
]

/** A write that races with the call under test. */
export interface Rival {
  readonly name: string
  /** Whether it removes the key. Otherwise it stores `item`. */
  readonly removes: boolean
  start(backend: CacheBackend, item: Item): Promise<unknown>
}

/** The plain writes of the backend, and its batches. */
export function rivalsOf(backend: CacheBackend): readonly Rival[] {
  const rivals: Rival[] = [
    { name: 'set', removes: false, start: (handle, item) => handle.set(item) },
    { name: 'delete', removes: true, start: (handle, { key }) => handle.delete(key) },
    { name: 'clear', removes: true, start: (handle) => handle.clear() },
    { name: 'clear with a prefix', removes: true, start: (handle, { key }) => handle.clear(key) },
  ]
  if (backend.setMany) {
    rivals.push({ name: 'setMany', removes: false, start: async (handle, item) => handle.setMany?.([item]) })
  }
  if (backend.deleteMany) {
    rivals.push({ name: 'deleteMany', removes: true, start: async (handle, { key }) => handle.deleteMany?.([key]) })
  }
  return rivals
}

/**
 * Races two calls in both orders and with several leads. `prepare` runs before each race and gives the two calls; `check` gets
 * their results, after both have resolved.
 */
export async function race<Result, RivalResult>(
  name: string,
  prepare: () => Promise<readonly [call: () => Promise<Result>, rival: () => Promise<RivalResult>]>,
  check: (result: Result, ofRival: RivalResult) => Promise<void>,
): Promise<void> {
  for (const lead of leads) {
    for (const isFirst of [true, false]) {
      const [call, rival] = await prepare()
      const starts: readonly (() => Promise<unknown>)[] = isFirst ? [call, rival] : [rival, call]
      const first = starts[0]?.()
      for (let turn = 0; turn < lead.turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      for (let tick = 0; tick < lead.microtasks; tick += 1) await null
      const [one, other] = await Promise.all([first, starts[1]?.()])
      const [result, ofRival] = isFirst ? [one, other] : [other, one]
      try {
        await check(result as Result, ofRival as RivalResult)
      } catch (error) {
        const order = isFirst ? 'after it' : 'before it'
        const by = `${lead.turns} turns of the event loop and ${lead.microtasks} microtasks`
        const message = `concurrent with ${name}, started ${order} by ${by}: ${(error as Error).message}`
        throw new assert.AssertionError({ message })
      }
    }
  }
}
