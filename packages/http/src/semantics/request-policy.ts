import { type Directives, directiveMs, parseCacheControl } from './cache-control.ts'
import type { FieldReader } from './fields.ts'

/** What a request asks of caches (RFC 9111 section 5.2.1), in milliseconds. */
export interface RequestPolicy {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  readonly maxAge: number | undefined
  readonly minFresh: number
  /** 0: no stale response. `Infinity`: one of any age. */
  readonly maxStale: number
  readonly staleIfError: number
}

const anything: RequestPolicy = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAge: undefined,
  minFresh: 0,
  maxStale: 0,
  staleIfError: 0,
}

export function requestPolicy(fields: FieldReader): RequestPolicy {
  const cacheControl = fields.get('cache-control') ?? undefined
  if (cacheControl === undefined) {
    const pragma = fields.get('pragma') ?? undefined
    if (pragma === undefined) return anything
    // RFC 9111 section 5.4: without Cache-Control, Pragma: no-cache means no-cache.
    return { ...anything, noCache: parseCacheControl(pragma).has('no-cache') }
  }
  const directives: Directives = parseCacheControl(cacheControl)
  return {
    noStore: directives.has('no-store'),
    noCache: directives.has('no-cache'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAge: directiveMs(directives, 'max-age'),
    minFresh: directiveMs(directives, 'min-fresh') ?? 0,
    maxStale: directives.get('max-stale') === '' ? Infinity : (directiveMs(directives, 'max-stale') ?? 0),
    staleIfError: directiveMs(directives, 'stale-if-error') ?? 0,
  }
}

/** The policy of every request where the operator ignores what requests ask for. */
export function ignoredRequestPolicy(): RequestPolicy {
  return anything
}
