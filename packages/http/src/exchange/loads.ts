import type { LoadContext } from '@cache/core'
import { conditionalFields, confirms, updatedFields, validationFields } from '../semantics/conditional.ts'
import { responsePolicy } from '../semantics/freshness.ts'
import { responseTags } from '../semantics/response-tags.ts'
import { allowsAuthorization, refusal, variantText, varyNames } from '../semantics/storable.ts'
import type { EntryStore, Found } from '../storage/entry-store.ts'
import type { StoredResponse, StoredValue } from '../storage/stored-response.ts'
import type { CacheRequest, CallOrigin, OriginCall } from './cache-request.ts'
import { Flight, type Head } from './flight.ts'
import { inTime } from './in-time.ts'
import { Marks } from './marks.ts'
import { declaredLength, lifeOf, receivedHead, storedResponse } from './received.ts'
import type { Settings } from './settings.ts'
import { SharedBody } from './shared-body.ts'

/** How long requests for a response that cannot be shared go to the origin without waiting for each other. */
const passLife = 120_000
/** How long a stale response is served without another try after its renewal failed. */
const retryPause = 1000
const mostMarks = 10_000

/** A request and where its response belongs. */
export interface LoadInput {
  readonly request: CacheRequest
  readonly origin: CallOrigin
  readonly found: Found
  /** Tags besides those of the response. */
  readonly tags: readonly string[]
  readonly isBackground: boolean
}

/** What the origin answered, and when. */
interface Received {
  readonly response: Response
  readonly head: Head
  readonly requestedAt: number
  readonly receivedAt: number
}

/** Runs loads: one for each key at a time, with its response streamed to all that wait. */
export class Loads {
  readonly #store: EntryStore
  readonly #settings: Settings
  readonly #flights = new Map<string, Flight>()
  /** Keys whose last response could not be shared. */
  readonly #passes = new Marks(mostMarks)
  readonly #pauses = new Marks(mostMarks)

  constructor(store: EntryStore, settings: Settings) {
    this.#store = store
    this.#settings = settings
  }

  running(key: string): Flight | undefined {
    return this.#flights.get(key)
  }

  /** Whether the last response of this key could not be shared. */
  passes(input: LoadInput): boolean {
    return this.#passes.has(passKey(input), this.#settings.clock.now())
  }

  /** The origin has sent a response that may be shared after all. */
  endPass(input: LoadInput): void {
    this.#passes.delete(passKey(input))
  }

  /** Later requests join none of the loads that run: their responses may be older than an invalidation. */
  forget(): void {
    this.#flights.clear()
  }

  /** Renews a stale response behind the answer, unless that runs already or has just failed. */
  renew(input: LoadInput): void {
    const { key } = input.found
    if (this.#flights.has(key) || this.#pauses.has(key, this.#settings.clock.now())) return
    const flight = this.start(input)
    flight.outcome.then(
      (outcome) => {
        if (outcome.kind !== 'own') return
        void outcome.body?.cancel()
        if (outcome.head.status >= 500) this.#pause(key)
      },
      () => this.#pause(key),
    )
  }

  start(input: LoadInput): Flight {
    const { key } = input.found
    const flight = new Flight()
    this.#flights.set(key, flight)
    let isOwn = false
    const loading = this.#store.load(key, (context) => {
      isOwn = true
      return this.#exchange(flight, input, context)
    })
    const end = loading
      .then(
        () => flight.publish({ kind: 'other' }),
        // The failure of an earlier load, whose last steps this call has joined, says nothing about this one.
        (error) => (isOwn ? flight.fail(error) : flight.publish({ kind: 'other' })),
      )
      .finally(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key)
        flight.finish()
      })
    this.#settings.waitUntil?.(end)
    return flight
  }

  /** Later requests do not join this load: it hangs or has failed. */
  abandon(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }

  #pause(key: string): void {
    this.#pauses.add(key, this.#settings.clock.now() + retryPause)
  }

  async #exchange(flight: Flight, input: LoadInput, context: LoadContext): Promise<StoredValue | null> {
    context.store = false
    try {
      const { response: stale } = input.found
      let received = await this.#ask(input, stale)
      if (received.response.status === 304 && stale !== undefined) {
        if (confirms(stale.fields, received.head.fields)) return this.#confirm(flight, input, context, stale, received)
        // RFC 9111 section 4.3.4: a 304 about another representation must not update this one.
        await received.response.body?.cancel()
        received = await this.#ask(input, undefined)
      }
      return await this.#take(flight, input, context, received)
    } catch (error) {
      // The store has steps to do. A request that comes meanwhile must not join the failure.
      this.abandon(input.found.key, flight)
      flight.fail(error)
      throw error
    }
  }

  async #ask(input: LoadInput, stale: StoredResponse | undefined): Promise<Received> {
    const { clock } = this.#settings
    const requestedAt = clock.now()
    const call: OriginCall = {
      isShared: true,
      isBackground: input.isBackground,
      remove: conditionalFields,
      add: stale === undefined ? [] : validationFields(stale.fields),
    }
    const response = await inTime(() => input.origin(call), this.#settings, input.request.url)
    const receivedAt = clock.now()
    return { response, head: receivedHead(response, receivedAt), requestedAt, receivedAt }
  }

  /** The stored response lives on with the fields of the 304. */
  #confirm(
    flight: Flight,
    input: LoadInput,
    context: LoadContext,
    stale: StoredResponse,
    { head, requestedAt, receivedAt }: Received,
  ): StoredResponse | null {
    const fields = updatedFields(stale.fields, head.fields)
    const merged: Head = { status: stale.status, statusText: stale.statusText, fields }
    const stored = storedResponse(merged, stale.body, requestedAt, receivedAt)
    const tags = responseTags(fields)
    if (this.#refusal(input, merged, receivedAt) !== undefined || tags === undefined) {
      flight.publish({ kind: 'own', head: merged, body: streamOf(stale.body) })
      return null
    }
    this.#keep(input, context, stored, tags)
    flight.publish({ kind: 'confirmed', stored })
    return stored
  }

  async #take(flight: Flight, input: LoadInput, context: LoadContext, received: Received): Promise<StoredValue | null> {
    const { response, head, receivedAt } = received
    const { found, request } = input
    const tags = responseTags(head.fields)
    const reason = this.#refusal(input, head, receivedAt)
    const length = declaredLength(head.fields)
    if (reason !== undefined || tags === undefined || (length ?? 0) > this.#settings.maxBodyBytes) {
      // An error says nothing about the responses after it.
      if (head.status < 500) this.#passes.add(passKey(input), receivedAt + passLife)
      flight.publish({ kind: 'own', head, body: response.body })
      return null
    }
    const read = (name: string): string | null | undefined => request.fields.get(name)
    const names = varyNames(head.fields) ?? []
    const body = new SharedBody(response.body, length, this.#settings)
    const isNewIndex = found.index === undefined && names.length > 0
    const isKnown = names.every((name) => found.index?.names.includes(name) === true)
    const publish = (): void =>
      flight.publish({
        kind: 'shared',
        head,
        body,
        names: found.index === undefined ? names : [...new Set([...names, ...found.index.names])],
        variant: variantText(found.index === undefined ? names : [...new Set([...names, ...found.index.names])], read),
        allowsAuthorization: allowsAuthorization(responsePolicy(head.status, head.fields, receivedAt, this.#settings)),
        willBeStored: isNewIndex || isKnown,
      })
    const complete = async (variantContext: LoadContext): Promise<StoredResponse | null> => {
      const bytes = await body.whole
      if (bytes === undefined) {
        variantContext.store = false
        this.#passes.add(passKey(input), this.#settings.clock.now() + passLife)
        return null
      }
      const stored = storedResponse(head, bytes, received.requestedAt, receivedAt)
      this.#keep(input, variantContext, stored, tags)
      return stored
    }
    if (isNewIndex) {
      const index = this.#store.newIndex(names)
      const variant = this.#store.variantKey(found.primary, index, read)
      // The tags of the index keep it out if one of them was invalidated before this load of the variant began.
      const storing = this.#store.load(variant, complete).catch((error) => this.#settings.onError?.(error))
      this.#settings.waitUntil?.(storing)
      publish()
      context.store = true
      this.#store.keepIndex(context, [...input.tags, ...tags], 0)
      return index
    }
    publish()
    if (isKnown) return await complete(context)
    // Known variants lack a field of this response. The next request is stored under a key with that field.
    if (found.index !== undefined) await this.#store.extendIndex(found.primary, found.index, names)
    return null
  }

  #keep(input: LoadInput, context: LoadContext, stored: StoredResponse, tags: readonly string[]): void {
    const { ttl, staleFor } = lifeOf(stored, this.#settings)
    context.store = true
    context.ttl = ttl
    context.staleFor = staleFor
    context.tags = [...new Set([...input.tags, ...tags])]
  }

  #refusal({ request }: LoadInput, head: Head, receivedAt: number): string | undefined {
    const policy = responsePolicy(head.status, head.fields, receivedAt, this.#settings)
    return refusal(head.status, head.fields, policy, hasAuthorization(request))
  }
}

export function hasAuthorization(request: CacheRequest): boolean {
  return (request.fields.get('authorization') ?? undefined) !== undefined
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      if (bytes.byteLength > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}

/** A private page of clients with credentials says nothing about the page of others. */
function passKey({ found, request }: LoadInput): string {
  return hasAuthorization(request) ? `${found.key}\nauthorization` : found.key
}
