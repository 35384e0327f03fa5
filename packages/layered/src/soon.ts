/** A value now or later. A layer that answers without waiting must not cost its caller a promise, nor a gap for a race. */
export type Soon<Value> = Value | Promise<Value>

/** Applies `next` at once to a value that is here, else when it comes. */
export function followed<Value, Next>(value: Soon<Value>, next: (value: Value) => Soon<Next>): Soon<Next> {
  return value instanceof Promise ? value.then(next) : next(value)
}
