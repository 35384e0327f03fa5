import type { CacheLike } from '@cache/core'
import { invalidArgument, withMethods } from '@cache/core/backend'
import type { Answer, CacheRequest, CallOrigin, OriginCall } from './exchange/cache-request.ts'
import { Loads } from './exchange/loads.ts'
import { Responder, urlTag } from './exchange/responder.ts'
import { type HttpCacheOptions, resolveOptions } from './http-cache-options.ts'
import { EntryStore } from './storage/entry-store.ts'

const cacheMethods = ['item', 'getOrSet', 'update', 'delete', 'deleteByTag', 'expireByTag', 'clear']

/** A shared HTTP cache by RFC 9111, over any backend. */
export class HttpCache {
  readonly #cache: CacheLike<unknown>
  readonly #store: EntryStore
  readonly #loads: Loads
  readonly #responder: Responder
  readonly #onError: ((error: unknown) => void) | undefined

  constructor(options: HttpCacheOptions) {
    const settings = resolveOptions(options)
    this.#cache = withMethods(options.cache, cacheMethods, 'cache', 'an asynchronous Cache', 'HttpCache')
    this.#onError = settings.onError
    this.#store = new EntryStore(this.#cache, () => settings.clock.now())
    this.#loads = new Loads(this.#store, settings)
    this.#responder = new Responder(this.#store, this.#loads, settings, settings.cacheStatus, (urls) =>
      this.#invalidate(urls),
    )
  }

  /**
   * Resolves to the response, from the cache where RFC 9111 allows it. `origin` sends a request onward, such as `fetch`. It gets the
   * request itself, or a copy without conditions when its response may answer other clients too. Rejects with the error of `origin`,
   * unless a stale response may be served. `canRenew: false` says that `origin` cannot be called after the response was returned.
   */
  async fetch(
    request: Request,
    origin: (request: Request, call: OriginCall) => Promise<Response>,
    options: { readonly canRenew?: boolean | undefined } = {},
  ): Promise<Response> {
    const url = new URL(request.url)
    url.hash = ''
    const seen: CacheRequest = {
      method: request.method,
      url: url.href,
      fields: request.headers,
      hasBody: request.body !== null,
      canRenew: options.canRenew,
    }
    return toResponse(await this.respond(seen, (call) => origin(originRequest(request, call), call)))
  }

  /** `fetch` without the objects of Fetch, for adapters. */
  respond(request: CacheRequest, origin: CallOrigin): Promise<Answer> {
    return this.#responder.respond(request, origin)
  }

  /** Removes all variants of a URL. Responses that are on their way are not stored. */
  async purge(url: string): Promise<void> {
    if (typeof url !== 'string' || !URL.canParse(url)) throw invalidArgument('url', url, 'an absolute URL', 'purge')
    const parsed = new URL(url)
    parsed.hash = ''
    await this.#remove(parsed.href)
  }

  /** Removes the responses that have one of the tags in `Cache-Tag` or `Surrogate-Key`. */
  async purgeTag(...tags: string[]): Promise<void> {
    await this.#cache.deleteByTag(...tags)
    this.#loads.forget()
  }

  /** Makes them stale: the next request validates them, or is served the stale one where `stale-while-revalidate` allows it. */
  async expireTag(...tags: string[]): Promise<void> {
    await this.#cache.expireByTag(...tags)
    this.#loads.forget()
  }

  /** Removes all responses, and all else in the namespace of the cache. */
  async purgeAll(): Promise<void> {
    await this.#cache.clear()
    this.#loads.forget()
  }

  async #remove(url: string): Promise<void> {
    await Promise.all([this.#store.remove(url), this.#cache.deleteByTag(urlTag(url))])
    // Only now: a load that begins during the removal is kept out of the store, but its response may be older.
    this.#loads.forget()
  }

  /** The request of the client has succeeded: a failing store must not fail it. */
  async #invalidate(urls: readonly string[]): Promise<void> {
    for (const url of urls) await this.#remove(url).catch((error) => this.#onError?.(error))
  }
}

function originRequest(request: Request, call: OriginCall): Request {
  if (!call.isShared && call.remove.length === 0) return request
  const headers = new Headers(request.headers)
  for (const name of call.remove) headers.delete(name)
  for (const [name, value] of call.add) headers.set(name, value)
  // Not a copy with `new Request(request)`: that would end with the signal of this client.
  return new Request(request.url, { method: request.method, headers, redirect: request.redirect })
}

/** Statuses of Fetch responses that cannot have a body. */
const withoutBody: ReadonlySet<number> = new Set([204, 205, 304])

function toResponse({ status, statusText, fields, body }: Answer): Response {
  const headers = new Headers()
  for (const [name, value] of fields) headers.append(name, value)
  const content = withoutBody.has(status) ? null : ((body ?? null) as ReadableStream<Uint8Array> | null)
  return new Response(content, { status, statusText, headers })
}
