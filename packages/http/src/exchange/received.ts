import { endToEndFields, type FieldList, fieldOf } from '../semantics/fields.ts'
import { initialAge, type ResponsePolicy, responsePolicy } from '../semantics/freshness.ts'
import type { StoredResponse } from '../storage/stored-response.ts'
import type { Head } from './flight.ts'
import type { Settings } from './settings.ts'

/** Fields that describe the coded form of a body which `fetch` has decoded. */
const ofTheCoding: ReadonlySet<string> = new Set(['content-encoding', 'content-length', 'content-md5'])

/** The head of a response without the fields of its connection, with the `Date` of its arrival if it has none (RFC 9110 section 6.6.1). */
export function receivedHead(response: Response, receivedAt: number): Head {
  let fields: FieldList = endToEndFields(response.headers)
  // Only a response of `fetch` has an address. Its body is decoded already.
  if (response.url !== '' && fieldOf(fields, 'content-encoding') !== undefined) fields = withoutCoding(fields)
  if (fieldOf(fields, 'date') === undefined) fields = [...fields, ['date', new Date(receivedAt).toUTCString()]]
  return { status: response.status, statusText: response.statusText, fields }
}

function withoutCoding(fields: FieldList): FieldList {
  return fields
    .filter(([name]) => !ofTheCoding.has(name))
    .map(([name, value]) => (name === 'etag' && !value.startsWith('W/') ? [name, `W/${value}`] : [name, value]))
}

/** A complete response as it is stored. */
export function storedResponse(head: Head, body: Uint8Array, requestedAt: number, receivedAt: number): StoredResponse {
  const hasLength = head.status === 204 || fieldOf(head.fields, 'content-length') !== undefined
  return {
    kind: 'response',
    status: head.status,
    statusText: head.statusText,
    fields: hasLength ? head.fields : [...head.fields, ['content-length', String(body.byteLength)]],
    body,
    receivedAt,
    initialAge: initialAge(head.fields, requestedAt, receivedAt),
  }
}

/** The declared length of a body, or `undefined`. */
export function declaredLength(fields: FieldList): number | undefined {
  const text = fieldOf(fields, 'content-length')
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

const policies = new WeakMap<StoredResponse, ResponsePolicy>()

/** The policy of a stored response. A backend that keeps references reads each response once. */
export function policyOf(stored: StoredResponse, settings: Settings): ResponsePolicy {
  const known = policies.get(stored)
  if (known !== undefined) return known
  const policy = responsePolicy(stored.status, stored.fields, stored.receivedAt, settings)
  policies.set(stored, policy)
  return policy
}

/** How long a response is fresh from now on, and how long it is kept after that. */
export function lifeOf(stored: StoredResponse, settings: Settings): { ttl: number; staleFor: number } {
  const policy = policyOf(stored, settings)
  const canAsk = stored.fields.some(([name]) => name === 'etag' || name === 'last-modified')
  const kept = canAsk || !policy.mustRevalidate ? settings.keepStale : 0
  const failing = policy.staleIfError ?? settings.staleIfError
  return {
    // The store removes a value with a lifetime of 0. A response that always needs validation has a lifetime too.
    ttl: Math.max(1, Math.ceil(policy.lifetime - stored.initialAge)),
    staleFor: Math.max(kept, policy.staleWhileRevalidate, failing),
  }
}
