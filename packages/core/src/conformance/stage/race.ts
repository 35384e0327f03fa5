import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** Microtasks between the starts of two racing calls. */
const leads = [0, 1, 2, 5]

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
 * the result of the first one, after both have resolved.
 */
export async function race<Result>(
  name: string,
  prepare: () => Promise<readonly [call: () => Promise<Result>, rival: () => Promise<unknown>]>,
  check: (result: Result) => Promise<void>,
): Promise<void> {
  for (const lead of leads) {
    for (const isFirst of [true, false]) {
      const [call, rival] = await prepare()
      const starts: readonly (() => Promise<unknown>)[] = isFirst ? [call, rival] : [rival, call]
      const first = starts[0]?.()
      for (let tick = 0; tick < lead; tick += 1) await null
      const [one, other] = await Promise.all([first, starts[1]?.()])
      try {
        await check((isFirst ? one : other) as Result)
      } catch (error) {
        const order = isFirst ? 'after it' : 'before it'
        const message = `concurrent with ${name}, started ${order} by ${lead} microtasks: ${(error as Error).message}`
        throw new assert.AssertionError({ message })
      }
    }
  }
}
