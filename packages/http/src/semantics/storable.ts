import { type FieldList, fieldOf } from './fields.ts'
import type { ResponsePolicy } from './freshness.ts'

/** Final statuses that this cache understands (RFC 9111 section 5.2.2.3, `must-understand`). */
const understood: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 410, 451])

/**
 * Whether a shared cache may keep the response to a `GET` (RFC 9111 section 3), or the reason against it.
 *
 * It is stricter than the RFC in two points. `Set-Cookie` keeps a response out, and so do statuses from 400 to 499 other than 404, 410
 * and 451: they describe one request, such as one with too large a header, and stored they would deny the resource to all.
 */
export function refusal(
  status: number,
  fields: FieldList,
  policy: ResponsePolicy,
  hasAuthorization: boolean,
): string | undefined {
  const { directives } = policy
  if (status < 200 || status === 206 || status === 304) return 'status'
  if (status >= 400 && status < 500 && !understood.has(status)) return 'status'
  const mustUnderstand = directives.has('must-understand')
  if (mustUnderstand && !understood.has(status)) return 'status'
  if (directives.has('no-store') && !mustUnderstand) return 'no-store'
  if (directives.has('private')) return 'private'
  if (fieldOf(fields, 'set-cookie') !== undefined) return 'set-cookie'
  if (fieldOf(fields, 'content-range') !== undefined) return 'partial'
  if (hasAuthorization && !allowsAuthorization(policy)) return 'authorization'
  if (varyNames(fields) === undefined) return 'vary'
  const hasValidator = fieldOf(fields, 'etag') !== undefined || fieldOf(fields, 'last-modified') !== undefined
  const isUseful = (policy.lifetime > 0 && !policy.alwaysValidate) || (hasValidator && status === 200)
  return isUseful ? undefined : 'not-fresh'
}

/** Whether the response to a request with `Authorization` may answer other requests (RFC 9111 section 3.5). */
export function allowsAuthorization({ directives }: ResponsePolicy): boolean {
  return directives.has('public') || directives.has('s-maxage') || directives.has('must-revalidate')
}

/** A response that selects by more fields than this is not kept: each of them multiplies the variants. */
const mostVaryNames = 16

/** The field names of `Vary`, in lower case and sorted; `undefined` when no other request may get the response. */
export function varyNames(fields: FieldList): readonly string[] | undefined {
  const vary = fieldOf(fields, 'vary')
  if (vary === undefined) return []
  const names = new Set<string>()
  for (const part of vary.split(',')) {
    const name = part.trim().toLowerCase()
    if (name === '*' || !/^[\w!#$%&'*+.^`|~-]*$/.test(name)) return undefined
    if (name !== '') names.add(name)
  }
  return names.size > mostVaryNames ? undefined : [...names].sort()
}

/** The values of a request that select a variant, as a text. Equivalent lists are equal (RFC 9111 section 4.1). */
export function variantText(names: readonly string[], read: (name: string) => string | null | undefined): string {
  return JSON.stringify(names.map((name) => normalized(name, read(name))))
}

function normalized(name: string, value: string | null | undefined): string | null {
  if (value === null || value === undefined) return null
  const list = value
    .split(',')
    .map((part) => part.trim().replace(/\s*;\s*/g, ';'))
    .join(',')
  return name.startsWith('accept') ? list.toLowerCase() : list
}
