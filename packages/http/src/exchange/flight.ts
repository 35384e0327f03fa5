import type { FieldList } from '../semantics/fields.ts'
import type { StoredResponse } from '../storage/stored-response.ts'
import { deferred } from './deferred.ts'
import type { SharedBody } from './shared-body.ts'

/** The beginning of a response of the origin. */
export interface Head {
  readonly status: number
  readonly statusText: string
  readonly fields: FieldList
}

/** What a load came to. */
export type Outcome =
  /** A response for all whose requests select the same variant. */
  | {
      readonly kind: 'shared'
      readonly head: Head
      readonly body: SharedBody
      /** The request fields that select the response, and their values in the request of the load. */
      readonly names: readonly string[]
      readonly variant: string
      readonly allowsAuthorization: boolean
      readonly willBeStored: boolean
    }
  /** A response for the caller that started the load only. */
  | { readonly kind: 'own'; readonly head: Head; readonly body: ReadableStream<Uint8Array> | null }
  /** The stored response is still right. */
  | { readonly kind: 'confirmed'; readonly stored: StoredResponse }
  /** Another load has stored a value: look up again. */
  | { readonly kind: 'other' }

/** One running load. */
export class Flight {
  /** Settles when the head of the response has arrived. */
  readonly outcome: Promise<Outcome>
  /** Resolves when the result is stored, or will not be. */
  readonly end: Promise<void>
  readonly #publish: (outcome: Outcome) => void
  readonly #fail: (error: unknown) => void
  readonly #finish: () => void
  #hasHead = false

  constructor() {
    const outcome = deferred<Outcome>()
    const end = deferred<void>()
    this.outcome = outcome.promise
    this.end = end.promise
    // A background load has no caller.
    outcome.promise.catch(() => {})
    this.#publish = outcome.resolve
    this.#fail = outcome.reject
    this.#finish = () => end.resolve()
  }

  /** Whether the origin has answered: a request that wants a new response must not join. */
  get hasHead(): boolean {
    return this.#hasHead
  }

  publish(outcome: Outcome): void {
    this.#hasHead = true
    this.#publish(outcome)
  }

  fail(error: unknown): void {
    this.#hasHead = true
    this.#fail(error)
  }

  finish(): void {
    this.#finish()
  }
}
