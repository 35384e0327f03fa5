import { BreakpointBackend, createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { Cache, CacheError, type CacheOptions, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'

/** A remote store whose answers may be lost. */
export class LossyBackend extends BreakpointBackend {
  #lost = 0

  /** The next compare-and-set is applied, and its answer never comes. */
  loseAnswer(): void {
    this.#lost += 1
  }

  override async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    const answer = await super.compareAndSet(key, expected, next)
    if (this.#lost === 0) return answer
    this.#lost -= 1
    throw new CacheError('TIMEOUT', 'compareAndSet: no answer came', {
      operation: 'compareAndSet',
      backend: this.name,
      key,
    })
  }
}

/** Two processes on one store. Each has its own backend object, so that they share only the store. */
export interface Rig {
  readonly clock: MovableClock
  readonly items: Map<string, Item>
  readonly far: LossyBackend
  readonly cache: Cache
  /** Another process. */
  readonly otherFar: LossyBackend
  readonly other: Cache
}

export function twoProcesses(options: Partial<CacheOptions> = {}): Rig {
  const clock = createMovableClock()
  const items = new Map<string, Item>()
  const far = new LossyBackend(new MapBackend({ clock, items }), 'one')
  const otherFar = new LossyBackend(new MapBackend({ clock, items }), 'other')
  const make = (backend: LossyBackend): Cache => new Cache({ backend, clock, ttl: '1m', ...options })
  return { clock, items, far, cache: make(far), otherFar, other: make(otherFar) }
}

/** A cache on a store that only this process uses and that answers at once. */
export function oneProcess(options: Partial<CacheOptions> = {}): {
  clock: MovableClock
  backend: MapBackend
  cache: Cache
} {
  const clock = createMovableClock()
  const backend = new MapBackend({ clock })
  return { clock, backend, cache: new Cache({ backend, clock, ttl: '1m', ...options }) }
}

/** A load that the test ends, with a count of its runs. */
export class GatedLoad<Value> {
  runs = 0
  readonly #waiting: { readonly settle: (value: Value) => void; readonly fail: (error: unknown) => void }[] = []
  readonly #started: (() => void)[] = []
  #announced = 0

  readonly loader = (): Promise<Value> => {
    this.runs += 1
    const result = new Promise<Value>((resolve, reject) => {
      this.#waiting.push({ settle: resolve, fail: reject })
    })
    this.#announced += 1
    this.#started.shift()?.()
    return result
  }

  /** Resolves when a run has begun for which no earlier call waited. */
  async started(): Promise<void> {
    if (this.#announced === 0) await new Promise<void>((resolve) => this.#started.push(resolve))
    this.#announced -= 1
  }

  /** Ends the oldest run. */
  end(value: Value): void {
    this.#waiting.shift()?.settle(value)
  }

  fail(error: unknown): void {
    this.#waiting.shift()?.fail(error)
  }
}

/** Resolves after all pending microtasks have run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** The code with which a promise rejects. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => ({ resolved: value }),
    (error) => error.code ?? error,
  )
}

/** Both kinds of store, for behaviour that must not depend on the kind. */
export const bothStores: readonly (readonly [
  string,
  (options?: Partial<CacheOptions>) => Pick<Rig, 'clock' | 'cache'>,
])[] = [
  ['a store that answers at once', oneProcess],
  ['a store that answers later', twoProcesses],
]

/** All elements of an iteration. */
export async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = []
  for await (const value of values) all.push(value)
  return all
}
