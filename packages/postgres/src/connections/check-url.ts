import { CacheError } from '@cache/core/backend'
import { parse } from 'pg-connection-string'
import { kindOf } from '../option-checks.ts'

/** Parameters that name files. A file is read for each connection, and need not exist before. */
const files = /([?&])(?:sslcert|sslkey|sslrootcert)=[^&]*/g
/** With this parameter `parse` demands a certificate, which is in a file. */
const compatibility = /([?&])uselibpqcompat=[^&]*/g

const encoding = 'encode it with encodeURIComponent'

/** The URL of a database. Throws `INVALID_ARGUMENT`; no message repeats the URL, because it may hold a password. */
export function checkUrl(given: unknown, method: string): string {
  if (typeof given !== 'string' || !/^postgres(ql)?:\/\//.test(given)) {
    const what = typeof given === 'string' ? 'something else' : kindOf(given)
    throw refusal(method, `url must be a URL that begins with 'postgres://', but was ${what}`)
  }
  return checkParts(given, 'url', method)
}

/** The option `connectionString` of a client of `pg`, which may also be the path of a socket. */
export function checkConnectionString(given: unknown, method: string): void {
  const name = 'options.connectionString'
  if (typeof given !== 'string') throw refusal(method, `${name} must be a string, but was ${kindOf(given)}`)
  checkParts(given, name, method)
}

/** The port of a URL or of `options`; `undefined` or an empty string means the default. */
export function checkPort(given: unknown, name: string, method: string): void {
  if (given === undefined || given === null || given === '') return
  const port = typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given
  if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535) return
  throw refusal(method, `the port of ${name} must be between 1 and 65535`)
}

/**
 * A password with one of these characters would end before it. The rest would become the name of the database or of a
 * parameter, and appear in the messages of the server.
 */
function checkParts(given: string, name: string, method: string): string {
  if (given.includes('#')) throw refusal(method, `${name} must not contain '#': ${encoding}`)
  const parts = parseUrl(given)
  if (parts === undefined) {
    const advice = "a '/', '?', '#', '@' or '%' in the user, the password or a name must be encoded"
    throw refusal(method, `${name} cannot be read as a URL: ${advice} with encodeURIComponent`)
  }
  const [path = '', ...queries] = given.split('?')
  const afterHost = path.replace(/^[a-z]+:\/\/[^/]*/i, '')
  const parameters = queries.join('?').split('&')
  if (afterHost.includes('@') || parameters.some((parameter) => /^[^=]*@/.test(parameter))) {
    throw refusal(method, `${name} has an '@' behind the host: ${encoding}, and a '/' or '?' of the password too`)
  }
  const { host, port } = parts
  if (typeof host === 'string' && !host.startsWith('/') && /\s/.test(host)) {
    throw refusal(method, `the host of ${name} must not contain blanks`)
  }
  checkPort(port, name, method)
  return given
}

function parseUrl(given: string): { readonly host?: unknown; readonly port?: unknown } | undefined {
  const withoutFiles = given.replace(files, '$1')
  try {
    return parse(withoutFiles === given ? given : withoutFiles.replace(compatibility, '$1'))
  } catch {
    // The error holds the URL in some versions of Node and of the parser.
    return undefined
  }
}

function refusal(method: string, reason: string): CacheError {
  return new CacheError('INVALID_ARGUMENT', `${method}: ${reason}`, { operation: method })
}
