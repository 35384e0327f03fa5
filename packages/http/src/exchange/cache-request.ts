import type { FieldList, FieldReader } from '../semantics/fields.ts'

/** A request as the cache sees it. */
export interface CacheRequest {
  /** In upper case. */
  readonly method: string
  /** Absolute, without a fragment. */
  readonly url: string
  readonly fields: FieldReader
  readonly hasBody: boolean
  /** Whether `origin` can be called after the answer. Otherwise `stale-while-revalidate` waits for the validation. Default `true`. */
  readonly canRenew?: boolean | undefined
}

/** How the request to the origin differs from that of the client. */
export interface OriginCall {
  /** Whether the response may answer other clients: the request must then not end with the connection of this one. */
  readonly isShared: boolean
  /** Whether the client already has its answer. */
  readonly isBackground: boolean
  /** Fields that the request to the origin lacks. */
  readonly remove: readonly string[]
  /** Fields that it has in their place. */
  readonly add: FieldList
}

/** Sends the request to the origin. */
export type CallOrigin = (call: OriginCall) => Promise<Response>

/** An answer to the client. */
export interface Answer {
  readonly status: number
  readonly statusText: string
  readonly fields: FieldList
  readonly body: Uint8Array | ReadableStream<Uint8Array> | undefined
}
