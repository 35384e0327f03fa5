/** A function whose results `Cache.wrap` can store. */
export type Wrappable<Value> = (...args: never[]) => Promise<Value | undefined> | Value | undefined

/** A function with cached results, and what belongs to one of its calls. */
export interface WrappedFunction<Arguments extends readonly unknown[], Result> {
  /** Resolves to the cached result, or to that of the function, which is then stored. */
  (...args: Arguments): Promise<Result>
  /** The key of the result of these arguments. */
  keyOf(...args: Arguments): string
  /** Removes the result of these arguments. Resolves to whether there was one. */
  invalidate(...args: Arguments): Promise<boolean>
  /** Calls the function, without a `this`, although a fresh result is there; stores its result and resolves to it. */
  refresh(...args: Arguments): Promise<Result>
}

/** The same of a `SyncCache`. */
export interface SyncWrappedFunction<Arguments extends readonly unknown[], Result> {
  (...args: Arguments): Result
  keyOf(...args: Arguments): string
  invalidate(...args: Arguments): boolean
  refresh(...args: Arguments): Result
}
