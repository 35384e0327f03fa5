/** Header fields in order, with lower-case names. `set-cookie` may appear several times. */
export type FieldList = readonly (readonly [name: string, value: string])[]

/** What the cache reads header fields from: `Headers` of Fetch, or an adapter's own object. Names are in lower case. */
export interface FieldReader {
  get(name: string): string | null | undefined
}

const none: ReadonlySet<string> = new Set()

/** Fields for one connection only (RFC 9110 section 7.6.1), which must be neither stored nor forwarded (RFC 9111 section 3.1). */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** The names that a `Connection` field lists. */
function listedFields(connection: string | null | undefined): ReadonlySet<string> {
  if (connection === null || connection === undefined) return none
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
}

/** The fields of a message without those of its connection. */
export function endToEndFields(fields: Iterable<readonly [string, string]>): [string, string][] {
  const list = [...fields].map(([name, value]): [string, string] => [name.toLowerCase(), value])
  const listed = listedFields(list.find(([name]) => name === 'connection')?.[1])
  return list.filter(([name]) => !hopByHop.has(name) && !listed.has(name))
}

/** The value of a field of a list. Several fields of a name are joined as RFC 9110 section 5.3 says. */
export function fieldOf(fields: FieldList, name: string): string | undefined {
  let value: string | undefined
  for (const [key, part] of fields) if (key === name) value = value === undefined ? part : `${value}, ${part}`
  return value
}
