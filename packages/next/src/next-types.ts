// The interfaces of Next 16 that the handlers implement. They are copied, so that the declarations of this package need no types of Next.

/** How long a response is fresh, and for how long after its render it may be served, in seconds. */
export interface CacheControl {
  readonly revalidate: number | false
  readonly expire: number | undefined
}

/** A page, a response of a route, a result of `fetch`, an image or a redirect. `null` stands for a page that does not exist. */
export type IncrementalValue = { readonly kind: string } & Readonly<Record<string, unknown>>

/** What Next passes to the constructor of a `cacheHandler`. */
export interface HandlerContext {
  readonly dev?: boolean | undefined
  readonly serverDistDir?: string | undefined
}

/** The second argument of `get` of a `cacheHandler`. */
export interface GetContext {
  readonly kind: string
  readonly revalidate?: number | false | undefined
  readonly tags?: readonly string[] | undefined
  readonly softTags?: readonly string[] | undefined
}

/** The third argument of `set` of a `cacheHandler`. */
export interface SetContext {
  readonly kind?: string | undefined
  readonly fetchCache?: boolean | undefined
  readonly tags?: readonly string[] | undefined
  readonly cacheControl?: CacheControl | undefined
}

/** The answer of a `cacheHandler`. */
export interface HandlerValue {
  lastModified: number
  value: IncrementalValue | null
  cacheControl?: CacheControl
}

/** How a tag is invalidated: without `expire` its entries are stale; with it they also end after so many seconds. */
export interface Durations {
  readonly expire?: number | undefined
}

/** A `cacheHandler`, of which Next makes one for each request. */
export interface IncrementalHandler {
  get(key: string, context: GetContext): Promise<HandlerValue | null>
  set(key: string, data: IncrementalValue | null, context: SetContext): Promise<void>
  revalidateTag(tags: string | readonly string[], durations?: Durations): Promise<void>
  resetRequestCache(): void
}

/** An entry of `'use cache'`. `timestamp` is an instant in milliseconds; the durations are seconds. */
export interface UseCacheEntry {
  value: ReadableStream<Uint8Array>
  tags: string[]
  stale: number
  timestamp: number
  expire: number
  revalidate: number
}

/** A handler of `cacheHandlers`. */
export interface UseCacheHandler {
  get(key: string, softTags: readonly string[]): Promise<UseCacheEntry | undefined>
  set(key: string, pendingEntry: Promise<UseCacheEntry>): Promise<void>
  refreshTags(): Promise<void>
  getExpiration(tags: readonly string[]): Promise<number>
  updateTags(tags: readonly string[], durations?: Durations): Promise<void>
}

/** Both handlers in one: the class is a `cacheHandler`, and its static methods are a handler of `cacheHandlers`. */
export type NextCacheHandler = (new (context: HandlerContext) => IncrementalHandler) & UseCacheHandler
