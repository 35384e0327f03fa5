import type { FieldList } from '../semantics/fields.ts'

/** A complete response as the cache keeps it. */
export interface StoredResponse {
  readonly kind: 'response'
  readonly status: number
  readonly statusText: string
  /** End-to-end fields. `date` is always there. */
  readonly fields: FieldList
  readonly body: Uint8Array
  /** The instant at which the response arrived, in milliseconds since 1970. */
  readonly receivedAt: number
  /** The age that it had then, in milliseconds (`corrected_initial_age`, RFC 9111 section 4.2.3). */
  readonly initialAge: number
}

/** What the cache keeps under the key of a resource whose responses vary. */
export interface VariantIndex {
  readonly kind: 'index'
  /** The request fields that select a variant, in lower case and sorted. */
  readonly names: readonly string[]
  /** Part of the keys of the variants: the variants of a removed index can never be found again. */
  readonly generation: string
}

export type StoredValue = StoredResponse | VariantIndex
