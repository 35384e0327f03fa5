/** Directives by lower-case name. A directive without an argument has `''`. */
export type Directives = ReadonlyMap<string, string>

/** RFC 9111 section 1.2.2: larger numbers mean this one, about 68 years. */
const mostSeconds = 2 ** 31

/** `, ` outside quotes separates directives. */
const directive = /([^\s,=;"]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?\s*(?:,|$)/gy

/**
 * The directives of a `Cache-Control` field (RFC 9111 section 5.2). Unreadable parts are skipped. Of a directive with several arguments the
 * smallest number counts, so that a conflict makes a response stale sooner (section 4.2.1).
 */
export function parseCacheControl(text: string | null | undefined): Directives {
  const found = new Map<string, string>()
  if (text === null || text === undefined) return found
  let at = 0
  while (at < text.length) {
    const start = /[^\s,]/.exec(text.slice(at))
    if (start === null) break
    at += start.index
    directive.lastIndex = at
    const match = directive.exec(text)
    if (match === null) {
      at = afterComma(text, at)
      continue
    }
    at = directive.lastIndex
    const name = (match[1] as string).toLowerCase()
    const value = match[2] === undefined ? (match[3] ?? '') : match[2].replace(/\\(.)/g, '$1')
    const earlier = found.get(name)
    if (earlier === undefined || (seconds(value) ?? 0) < (seconds(earlier) ?? 0)) found.set(name, value)
  }
  return found
}

/** The end of a part that is no directive. */
function afterComma(text: string, at: number): number {
  const comma = text.indexOf(',', at)
  return comma === -1 ? text.length : comma + 1
}

/** The seconds of an argument, or `undefined` if it is no whole number. */
function seconds(value: string): number | undefined {
  return /^\d+$/.test(value) ? Math.min(Number(value), mostSeconds) : undefined
}

/**
 * The milliseconds of a directive; `undefined` if it is absent. An argument that is no whole number counts as 0: RFC 9111 section 4.2.1
 * encourages caches to consider such responses stale.
 */
export function directiveMs(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  return value === undefined ? undefined : (seconds(value) ?? 0) * 1000
}
