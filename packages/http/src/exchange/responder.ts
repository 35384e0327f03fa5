import { bypassReason, isSafe } from '../semantics/bypass.ts'
import { conditionalFields } from '../semantics/conditional.ts'
import { decide, type Judged, servesOnFailure } from '../semantics/decide.ts'
import { fieldOf } from '../semantics/fields.ts'
import { responsePolicy } from '../semantics/freshness.ts'
import { ignoredRequestPolicy, type RequestPolicy, requestPolicy } from '../semantics/request-policy.ts'
import { keySuffix } from '../semantics/resource-key.ts'
import { allowsAuthorization, refusal, variantText } from '../semantics/storable.ts'
import type { EntryStore, Found } from '../storage/entry-store.ts'
import type { StoredResponse } from '../storage/stored-response.ts'
import { notCachedAnswer, storedAnswer, streamedAnswer, withCacheStatus } from './answers.ts'
import type { Answer, CacheRequest, CallOrigin } from './cache-request.ts'
import type { Head, Outcome } from './flight.ts'
import { hasAuthorization, type LoadInput, type Loads } from './loads.ts'
import { policyOf, receivedHead } from './received.ts'
import type { Settings } from './settings.ts'

/** After so many looks at a store that changes all the time, a request goes to the origin by itself. */
const mostAttempts = 4

/** Invalidates the stored responses of URLs. */
export type Invalidate = (urls: readonly string[]) => Promise<void>

/** Answers requests: from the store, from a load that others wait for too, or from the origin directly. */
export class Responder {
  readonly #store: EntryStore
  readonly #loads: Loads
  readonly #settings: Settings
  readonly #status: string | undefined
  readonly #invalidate: Invalidate

  constructor(store: EntryStore, loads: Loads, settings: Settings, status: string | undefined, invalidate: Invalidate) {
    this.#store = store
    this.#loads = loads
    this.#settings = settings
    this.#status = status
    this.#invalidate = invalidate
  }

  async respond(request: CacheRequest, origin: CallOrigin): Promise<Answer> {
    const bypass = bypassReason(request.method, request.fields, request.hasBody)
    if (bypass !== undefined) return this.#forward(request, origin, `fwd=${bypass}`)
    const wanted = this.#settings.requestDirectives ? requestPolicy(request.fields) : ignoredRequestPolicy()
    if (wanted.noStore && !wanted.onlyIfCached) return this.#forward(request, origin, 'fwd=request')
    const suffix = keySuffix(this.#settings.keyFields, request.fields)
    const primary = request.url + suffix
    // A purge by URL finds an entry with a longer key by this tag.
    const tags = suffix === '' ? [] : [urlTag(request.url)]
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const found = await this.#find(primary, request)
      const answer = await this.#answer({ request, origin, found, tags, isBackground: false }, wanted)
      if (answer !== undefined) return answer
    }
    return this.#forward(request, origin, 'fwd=miss')
  }

  async #find(primary: string, request: CacheRequest): Promise<Found> {
    try {
      return await this.#store.find(primary, (name) => request.fields.get(name))
    } catch (error) {
      this.#settings.onError?.(error)
      return this.#store.nothing(primary)
    }
  }

  /** Resolves to `undefined` when another look at the store is needed. */
  async #answer(input: LoadInput, wanted: RequestPolicy): Promise<Answer | undefined> {
    const { request, found } = input
    const stored = this.#usable(request, found.response)
    const judged = stored === undefined ? undefined : this.#judge(stored, wanted, found.isExpired)
    if (stored !== undefined && judged !== undefined && canServe(request, judged)) {
      if (judged.decision === 'serve-and-renew' && request.method === 'GET')
        this.#loads.renew({ ...input, isBackground: true })
      return this.#fromStore(request, stored, judged)
    }
    if (wanted.onlyIfCached) return notCachedAnswer(this.#member('detail=only-if-cached'))
    const reason = forwardReason(found, judged, wanted)
    try {
      if (request.method === 'HEAD') return await this.#head(input, reason)
      if (this.#loads.passes(input)) return await this.#pass(input, reason)
      return await this.#load(input, wanted, stored, judged, reason)
    } catch (error) {
      if (stored !== undefined && judged !== undefined && this.#servesOnFailure(stored, wanted, judged, true))
        return this.#fromStore(request, stored, judged, 'detail=unreachable')
      throw error
    }
  }

  /** A request with credentials gets only what RFC 9111 section 3.5 would have allowed to store for it. */
  #usable(request: CacheRequest, stored: StoredResponse | undefined): StoredResponse | undefined {
    if (stored === undefined || !hasAuthorization(request)) return stored
    return allowsAuthorization(policyOf(stored, this.#settings)) ? stored : undefined
  }

  #judge(stored: StoredResponse, wanted: RequestPolicy, isExpired: boolean): Judged {
    const policy = policyOf(stored, this.#settings)
    const age = stored.initialAge + Math.max(0, this.#settings.clock.now() - stored.receivedAt)
    // The store counts a response as expired as soon as its lifetime is over. Before that, only the operator can have said so.
    return decide(policy, wanted, age, isExpired)
  }

  #fromStore(request: CacheRequest, stored: StoredResponse, judged: Judged, detail = ''): Answer {
    const ttl = Math.floor(judged.remaining / 1000)
    const status = this.#member(`hit; ttl=${ttl}${detail === '' ? '' : `; ${detail}`}`)
    return storedAnswer(request, stored, judged.age, status, this.#settings.clock.now())
  }

  #servesOnFailure(stored: StoredResponse, wanted: RequestPolicy, judged: Judged, isUnreachable: boolean): boolean {
    const policy = policyOf(stored, this.#settings)
    return servesOnFailure(policy, wanted, judged, isUnreachable, this.#settings.staleIfError)
  }

  /** Joins the load of the key, or starts it. */
  async #load(
    input: LoadInput,
    wanted: RequestPolicy,
    stored: StoredResponse | undefined,
    judged: Judged | undefined,
    reason: string,
  ): Promise<Answer | undefined> {
    const { request, found } = input
    const running = this.#loads.running(found.key)
    const wantsNew = wanted.noCache || wanted.maxAge !== undefined
    const canJoin = running !== undefined && !(wantsNew && running.hasHead)
    const flight = canJoin ? running : this.#loads.start({ ...input, found: { ...found, response: stored } })
    const outcome = await flight.outcome
    const status = canJoin ? `${reason}; collapsed` : reason
    if (outcome.kind === 'other') return undefined
    if (outcome.kind === 'confirmed') {
      const confirmed = this.#usable(request, outcome.stored)
      if (confirmed === undefined) return this.#pass(input, reason)
      const now = this.#settings.clock.now()
      const age = confirmed.initialAge + Math.max(0, now - confirmed.receivedAt)
      return storedAnswer(request, confirmed, age, this.#member(`${status}; fwd-status=304`), now)
    }
    if (isError(outcome.head.status) && stored !== undefined && judged !== undefined) {
      if (this.#servesOnFailure(stored, wanted, judged, false)) {
        if (!canJoin && outcome.kind === 'own') void outcome.body?.cancel().catch(() => {})
        return this.#fromStore(request, stored, judged, `fwd-status=${outcome.head.status}`)
      }
    }
    if (outcome.kind === 'own') return canJoin ? this.#pass(input, reason) : this.#own(request, outcome, status)
    const selects = variantText(outcome.names, (name) => request.fields.get(name)) === outcome.variant
    if (!selects) {
      // The index of the variants is stored by then.
      await flight.end
      return undefined
    }
    if (hasAuthorization(request) && !outcome.allowsAuthorization) return this.#pass(input, reason)
    const storing = outcome.willBeStored ? '; stored' : ''
    const member = this.#member(`${status}; fwd-status=${outcome.head.status}${storing}`)
    const now = this.#settings.clock.now()
    return streamedAnswer(request, outcome.head, member, () => outcome.body.open(), now) ?? this.#pass(input, reason)
  }

  #own(request: CacheRequest, outcome: Outcome & { kind: 'own' }, status: string): Answer | undefined {
    const member = this.#member(`${status}; fwd-status=${outcome.head.status}`)
    const open = (): ReadableStream<Uint8Array> => outcome.body ?? emptyBody()
    const answer = streamedAnswer(request, outcome.head, member, open, this.#settings.clock.now())
    if (answer?.status === 304) void outcome.body?.cancel().catch(() => {})
    return answer
  }

  /** A request of its own for a response that cannot be shared. */
  async #pass(input: LoadInput, reason: string): Promise<Answer> {
    const { request, origin } = input
    const response = await origin({ isShared: false, isBackground: false, remove: [], add: [] })
    const now = this.#settings.clock.now()
    const head = receivedHead(response, now)
    const policy = responsePolicy(head.status, head.fields, now, this.#settings)
    // The next request for it is a load again.
    if (refusal(head.status, head.fields, policy, hasAuthorization(request)) === undefined) this.#loads.endPass(input)
    return this.#unshared(head, response, reason)
  }

  /** RFC 9111 section 4.3.5: a HEAD that does not agree with the stored response makes it invalid. */
  async #head(input: LoadInput, reason: string): Promise<Answer> {
    const { origin, found } = input
    const response = await origin({ isShared: false, isBackground: false, remove: conditionalFields, add: [] })
    const head = receivedHead(response, this.#settings.clock.now())
    if (head.status === 200 && found.response !== undefined && disagrees(head, found.response))
      await this.#invalidate([input.request.url])
    return this.#unshared(head, response, reason)
  }

  async #forward(request: CacheRequest, origin: CallOrigin, reason: string): Promise<Answer> {
    const response = await origin({ isShared: false, isBackground: false, remove: [], add: [] })
    const head = receivedHead(response, this.#settings.clock.now())
    // RFC 9111 section 4.4. An error leaves the resource as it was.
    if (!isSafe(request.method) && head.status >= 200 && head.status < 400)
      await this.#invalidate(changedUrls(request.url, head))
    return this.#unshared(head, response, reason)
  }

  #unshared(head: Head, response: Response, reason: string): Answer {
    const member = this.#member(`${reason}; fwd-status=${head.status}`)
    const fields = withCacheStatus(head.fields, member)
    return { status: head.status, statusText: head.statusText, fields, body: response.body ?? undefined }
  }

  #member(parameters: string): string | undefined {
    return this.#status === undefined ? undefined : `${this.#status}; ${parameters}`
  }
}

/** The tag of the entries of a URL whose keys have more than the URL. */
export function urlTag(url: string): string {
  return `url ${url}`
}

function emptyBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() })
}

function canServe(request: CacheRequest, { decision }: Judged): boolean {
  return decision === 'serve' || (decision === 'serve-and-renew' && request.canRenew !== false)
}

/** Failures that `stale-if-error` covers (RFC 5861 section 4). */
function isError(status: number): boolean {
  return status === 500 || status === 502 || status === 503 || status === 504
}

function forwardReason(found: Found, judged: Judged | undefined, wanted: RequestPolicy): string {
  if (judged === undefined) return found.index === undefined ? 'fwd=uri-miss' : 'fwd=vary-miss'
  return judged.remaining > 0 && (wanted.noCache || wanted.maxAge !== undefined || wanted.minFresh > 0)
    ? 'fwd=request'
    : 'fwd=stale'
}

function disagrees(head: Head, stored: StoredResponse): boolean {
  return ['etag', 'last-modified', 'content-length'].some((name) => {
    const given = fieldOf(head.fields, name)
    return given !== undefined && given !== fieldOf(stored.fields, name)
  })
}

/** The URL of the request, and those of the response on the same origin: others belong to other operators. */
function changedUrls(url: string, head: Head): string[] {
  const urls = new Set([url])
  for (const name of ['location', 'content-location']) {
    const given = fieldOf(head.fields, name)
    if (given === undefined || !URL.canParse(given, url)) continue
    const resolved = new URL(given, url)
    resolved.hash = ''
    if (resolved.origin === new URL(url).origin) urls.add(resolved.href)
  }
  return [...urls]
}
