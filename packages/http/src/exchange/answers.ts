import { clientHasCopy, notModifiedFields } from '../semantics/conditional.ts'
import type { FieldList } from '../semantics/fields.ts'
import type { StoredResponse } from '../storage/stored-response.ts'
import type { Answer, CacheRequest } from './cache-request.ts'
import type { Head } from './flight.ts'

/** The fields with the member of this cache at the end of `Cache-Status` (RFC 9211 section 2). */
export function withCacheStatus(fields: FieldList, member: string | undefined): [string, string][] {
  const list = fields.map(([name, value]): [string, string] => [name, value])
  if (member === undefined) return list
  const last = list.findLast(([name]) => name === 'cache-status')
  if (last === undefined) list.push(['cache-status', member])
  else last[1] = `${last[1]}, ${member}`
  return list
}

/** The answer from a stored response: 304 where the client's own copy is right (RFC 9111 section 4.3.2). */
export function storedAnswer(
  request: CacheRequest,
  stored: StoredResponse,
  age: number,
  status: string | undefined,
  now: number,
): Answer {
  // The Age of an earlier cache is part of ours already.
  const fields = withCacheStatus(
    stored.fields.filter(([name]) => name !== 'age'),
    status,
  )
  fields.push(['age', String(Math.floor(Math.max(0, age) / 1000))])
  if (stored.status === 200 && clientHasCopy(request.fields, fields, now))
    return { status: 304, statusText: 'Not Modified', fields: notModifiedFields(fields), body: undefined }
  const hasBody = request.method !== 'HEAD' && stored.status !== 204
  return { status: stored.status, statusText: stored.statusText, fields, body: hasBody ? stored.body : undefined }
}

/** The answer from a response that arrives. `open` gives its body, and is not called for a 304. */
export function streamedAnswer(
  request: CacheRequest,
  head: Head,
  status: string | undefined,
  open: () => ReadableStream<Uint8Array> | undefined,
  now: number,
): Answer | undefined {
  const fields = withCacheStatus(head.fields, status)
  if (head.status === 200 && clientHasCopy(request.fields, head.fields, now))
    return { status: 304, statusText: 'Not Modified', fields: notModifiedFields(fields), body: undefined }
  const body = open()
  if (body === undefined) return undefined
  return { status: head.status, statusText: head.statusText, fields, body: head.status === 204 ? undefined : body }
}

/** RFC 9111 section 5.2.1.7: nothing stored satisfies `only-if-cached`. */
export function notCachedAnswer(status: string | undefined): Answer {
  const fields: FieldList = [['content-length', '0']]
  return { status: 504, statusText: 'Gateway Timeout', fields: withCacheStatus(fields, status), body: new Uint8Array() }
}
