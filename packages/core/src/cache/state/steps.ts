import type { CallsInFlight } from '../../backend-kit/calls-in-flight.ts'
import { isPromise, type MaybePromise } from '../../backend-kit/maybe-promise.ts'

/**
 * The steps of an operation, written once for stores that answer at once and for stores that answer later: a generator that yields
 * every answer of the store, a value or a promise, and gets the value back. `SyncCache` runs it with `runSync`, `Cache` with `runAsync`.
 */
export type Steps<T> = Generator<unknown, T, unknown>

/** The value of a store's answer, at once or later: `const item = yield* answer(adapter.get(key))`. */
export function* answer<T>(value: MaybePromise<T>): Steps<T> {
  return (yield value) as T
}

/** The values of several answers that were asked for together. */
export function* answers<T>(values: MaybePromise<T>[]): Steps<T[]> {
  return (yield values.some(isPromise) ? Promise.all(values) : values) as T[]
}

/** Runs an operation whose store answers at once. */
export function runSync<T>(operation: Steps<T>): T {
  let step = operation.next()
  while (!step.done) step = operation.next(step.value)
  return step.value
}

const same = (error: unknown): unknown => error

/**
 * Runs an operation, waiting for each promise that it yields. As long as the store answers at once nothing else can run in
 * between, so that on a memory store every operation is atomic.
 */
export function runAsync<T>(
  operation: Steps<T>,
  inFlight?: CallsInFlight,
  onError: (error: unknown) => unknown = same,
): Promise<T> {
  try {
    let step = operation.next()
    while (!step.done) {
      if (isPromise(step.value)) return waited(operation, step.value, inFlight, onError)
      step = operation.next(step.value)
    }
    return Promise.resolve(step.value)
  } catch (error) {
    return Promise.reject(onError(error))
  }
}

/** By callbacks and not by `await`, which makes three promises more for each answer: this is under every write. */
function waited<T>(
  operation: Steps<T>,
  first: Promise<unknown>,
  inFlight: CallsInFlight | undefined,
  toRejection: (error: unknown) => unknown,
): Promise<T> {
  inFlight?.begin()
  return new Promise((resolve, reject) => {
    first.then(onValue, onError)
    function onValue(value: unknown): void {
      goOn(() => operation.next(value))
    }
    function onError(error: unknown): void {
      goOn(() => operation.throw(error))
    }
    function goOn(resume: () => IteratorResult<unknown, T>): void {
      try {
        let step = resume()
        while (!step.done) {
          if (isPromise(step.value)) return void step.value.then(onValue, onError)
          step = operation.next(step.value)
        }
        inFlight?.end()
        resolve(step.value)
      } catch (error) {
        inFlight?.end()
        reject(toRejection(error))
      }
    }
  })
}
