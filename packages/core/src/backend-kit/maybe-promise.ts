/** A value, or a promise of it. A store that answers at once must cost its caller neither a promise nor a tick. */
export type MaybePromise<Value> = Value | Promise<Value>

/** Whether the value is a promise or another object with a `then` method. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as { then?: unknown }).then === 'function'
}

/** Applies `next` to a value at once, and to a promise once it resolves. */
export function chain<Value, Next>(
  value: MaybePromise<Value>,
  next: (value: Value) => MaybePromise<Next>,
): MaybePromise<Next> {
  return isPromise(value) ? value.then(next) : next(value)
}

/** The result of `call` as a promise. A synchronous throw becomes a rejection. */
export function promiseOf<Value>(call: () => MaybePromise<Value>): Promise<Value> {
  try {
    return Promise.resolve(call())
  } catch (error) {
    return Promise.reject(error)
  }
}
