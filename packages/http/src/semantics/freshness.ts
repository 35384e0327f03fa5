import { type Directives, directiveMs, parseCacheControl } from './cache-control.ts'
import { type FieldList, fieldOf } from './fields.ts'
import { parseHttpDate } from './http-date.ts'

/** What the fields of a response say about its use. All lengths are milliseconds. */
export interface ResponsePolicy {
  readonly directives: Directives
  /** The freshness lifetime (RFC 9111 section 4.2.1), explicit or heuristic. */
  readonly lifetime: number
  readonly isExplicit: boolean
  /** Whether each use needs a successful validation (`no-cache`, section 5.2.2.4). */
  readonly alwaysValidate: boolean
  /** Whether a stale response must not be used without validation (sections 5.2.2.2 and 5.2.2.8). */
  readonly mustRevalidate: boolean
  /** `s-maxage` forbids stale use as `proxy-revalidate` does (section 5.2.2.10), except where RFC 5861 permits it by name. */
  readonly sharedLifetime: boolean
  readonly staleWhileRevalidate: number
  /** `undefined`: the response says nothing. */
  readonly staleIfError: number | undefined
}

/** Statuses for which a lifetime may be guessed (RFC 9110 section 15.1), apart from those that describe a bad request. */
const heuristicStatuses: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 410])

/** The fraction of the time since the last change that RFC 9111 section 4.2.2 suggests. */
const heuristicFraction = 0.1
const longestHeuristic = 86_400_000

/** The settings that freshness depends on. */
export interface FreshnessSettings {
  /** Fields that replace `Cache-Control` where a response has them (RFC 9213), by priority. */
  readonly targetedFields: readonly string[]
  /** Whether a lifetime may be guessed from `Last-Modified`. */
  readonly heuristics: boolean
}

/** Reads the policy of a response that arrived at `receivedAt`. */
export function responsePolicy(
  status: number,
  fields: FieldList,
  receivedAt: number,
  settings: FreshnessSettings,
): ResponsePolicy {
  const targeted = targetedDirectives(fields, settings.targetedFields)
  const directives = targeted ?? parseCacheControl(fieldOf(fields, 'cache-control'))
  const explicit = explicitLifetime(directives, targeted === undefined ? fields : [], fields, receivedAt)
  return {
    directives,
    lifetime: explicit ?? (settings.heuristics ? heuristicLifetime(status, fields, receivedAt) : 0),
    isExplicit: explicit !== undefined,
    alwaysValidate: directives.has('no-cache'),
    mustRevalidate: directives.has('must-revalidate') || directives.has('proxy-revalidate'),
    sharedLifetime: directives.has('s-maxage'),
    staleWhileRevalidate: directiveMs(directives, 'stale-while-revalidate') ?? 0,
    staleIfError: directiveMs(directives, 'stale-if-error'),
  }
}

/** The directives of the first targeted field that has any. An empty or unreadable one is ignored (RFC 9213 section 2.1). */
function targetedDirectives(fields: FieldList, names: readonly string[]): Directives | undefined {
  for (const name of names) {
    const directives = parseCacheControl(fieldOf(fields, name))
    if (directives.size > 0) return directives
  }
  return undefined
}

/** RFC 9111 section 4.2.1: `s-maxage`, then `max-age`, then `Expires`. */
function explicitLifetime(
  directives: Directives,
  expiring: FieldList,
  fields: FieldList,
  receivedAt: number,
): number | undefined {
  const age = directiveMs(directives, 's-maxage') ?? directiveMs(directives, 'max-age')
  if (age !== undefined) return age
  const expires = fieldOf(expiring, 'expires')
  if (expires === undefined) return undefined
  const date = parseHttpDate(fieldOf(fields, 'date'), receivedAt) ?? receivedAt
  // An invalid date, 0 above all, means a time in the past (section 5.3).
  return Math.max(0, (parseHttpDate(expires, receivedAt) ?? 0) - date)
}

/** RFC 9111 section 4.2.2. */
function heuristicLifetime(status: number, fields: FieldList, receivedAt: number): number {
  if (!heuristicStatuses.has(status)) return 0
  const changed = parseHttpDate(fieldOf(fields, 'last-modified'), receivedAt)
  const date = parseHttpDate(fieldOf(fields, 'date'), receivedAt) ?? receivedAt
  if (changed === undefined) return 0
  return Math.min(longestHeuristic, Math.max(0, (date - changed) * heuristicFraction))
}

/** `corrected_initial_age` in milliseconds (RFC 9111 section 4.2.3). */
export function initialAge(fields: FieldList, requestedAt: number, receivedAt: number): number {
  const date = parseHttpDate(fieldOf(fields, 'date'), receivedAt) ?? receivedAt
  const apparent = Math.max(0, receivedAt - date)
  // Of several values the first counts (section 5.1). An unreadable one is ignored.
  const text = fieldOf(fields, 'age')?.split(',')[0]?.trim() ?? ''
  const stated = /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) * 1000 : 0
  return Math.max(apparent, stated + Math.max(0, receivedAt - requestedAt))
}
