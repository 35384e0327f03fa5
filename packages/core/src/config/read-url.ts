import { invalidArgument } from '../protocol/argument.ts'
import { CacheError } from '../protocol/cache-error.ts'
import type { CacheConfig, ProviderName } from './cache-config.ts'
import { backendFields, cacheFields, flagFields, numberFields, objectFields, sectionFields } from './fields.ts'

const schemes: Readonly<Record<string, ProviderName>> = {
  memory: 'memory',
  file: 'file',
  redis: 'redis',
  rediss: 'redis',
  postgres: 'postgres',
  postgresql: 'postgres',
  null: 'null',
}

/** Parameters that the reader of PostgreSQL's URLs knows; they stay in the URL. */
const postgresParameters = [
  'application_name',
  'client_encoding',
  'connect_timeout',
  'fallback_application_name',
  'host',
  'keepalives',
  'options',
  'password',
  'port',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslrootcert',
  'uselibpqcompat',
  'user',
]

const pattern = /^([a-z][a-z\d+.-]*):([^?#]*)(?:\?([^#]*))?$/i

/**
 * The configuration that a URL stands for: `scheme:address?field=value`. A parameter is a field of `CacheConfig`, or `section.field`
 * for an option of one package. Throws `INVALID_ARGUMENT`. No message contains the address, which may hold a password.
 */
export function readUrl(url: string, where: string): CacheConfig {
  const [, scheme = '', address = '', query = ''] = pattern.exec(url) ?? []
  const provider = schemes[scheme.toLowerCase()]
  if (provider === undefined) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${where} must be a URL that begins with ${Object.keys(schemes).join(':, ')}: and has no '#', but ${
        scheme === '' ? 'has no such form' : `begins with '${scheme}:'`
      }`,
      { operation: 'openCache' },
    )
  }
  const config: Record<string, unknown> = { provider }
  const rest = new URLSearchParams()
  for (const [name, text] of new URLSearchParams(query)) {
    if (provider === 'postgres' && postgresParameters.includes(name)) rest.append(name, text)
    else addField(config, name, text, where)
  }
  Object.assign(config, addressOf(provider, scheme, address, rest, where))
  return config
}

/** The members that the part between the scheme and the query stands for. */
function addressOf(
  provider: ProviderName,
  scheme: string,
  address: string,
  rest: URLSearchParams,
  where: string,
): Partial<CacheConfig> {
  if (provider === 'memory' || provider === 'null') {
    if (address.replace(/^\/\//, '') !== '') {
      throw new CacheError('INVALID_ARGUMENT', `${where}: '${scheme}:' takes no address, only parameters after '?'`, {
        operation: 'openCache',
      })
    }
    return {}
  }
  if (provider !== 'file') {
    const parameters = rest.toString()
    return { url: `${scheme.toLowerCase()}:${address}${parameters === '' ? '' : `?${parameters}`}` }
  }
  // Not the URL class: it makes every path absolute.
  const path = address.replace(/^\/\/(?=\/|\.|$)/, '')
  if (path === '' || path.startsWith('//')) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${where}: 'file:' needs the path of a directory, such as 'file:./cache' or 'file:///var/cache/app'`,
      { operation: 'openCache' },
    )
  }
  return { url: `file:${path}` }
}

/** The directory of a `file:` URL that `readUrl` has returned. */
export function directoryOf(url: string, where: string): string {
  try {
    return decodeURIComponent(url.slice('file:'.length))
  } catch (cause) {
    throw new CacheError('INVALID_ARGUMENT', `${where}: the path of 'file:' has a '%' that begins no character`, {
      operation: 'openCache',
      cause,
    })
  }
}

function addField(config: Record<string, unknown>, name: string, text: string, where: string): void {
  const [section = '', option, ...more] = name.split('.')
  if (option !== undefined && option !== '' && more.length === 0 && sectionFields.includes(section)) {
    const members = ownMember(config, section) as Record<string, unknown> | undefined
    if (members !== undefined && Object.hasOwn(members, option)) throw repeated(name, where)
    config[section] = { ...members, [option]: guess(text) }
    return
  }
  const known = [...backendFields, ...cacheFields].filter(
    (field) => !objectFields.includes(field) && !sectionFields.includes(field),
  )
  if (!known.includes(name)) {
    const shown = /^[\w.-]{1,60}$/.test(name) ? `'${name}'` : '(not shown)'
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${where}: unknown parameter ${shown}; allowed are ${known.join(', ')}, and ${sectionFields.join('.…, ')}.…`,
      { operation: 'openCache' },
    )
  }
  if (Object.hasOwn(config, name)) throw repeated(name, where)
  config[name] = fieldValue(name, text, where)
}

function repeated(name: string, where: string): CacheError {
  return new CacheError('INVALID_ARGUMENT', `${where}: parameter '${name}' is given twice`, { operation: 'openCache' })
}

function ownMember(config: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(config, name) ? config[name] : undefined
}

function fieldValue(name: string, text: string, where: string): unknown {
  if (numberFields.includes(name)) {
    const number = numberOf(text)
    if (number === undefined) throw invalidArgument(name, text, 'a number', where)
    return number
  }
  if (flagFields.includes(name)) {
    if (text !== 'true' && text !== 'false') throw invalidArgument(name, text, "'true' or 'false'", where)
    return text === 'true'
  }
  if (name === 'compression') return text === 'true' ? true : text === 'false' ? false : text
  // A duration without a unit is in milliseconds, as in an object. A name, prefix or namespace stays a text.
  const isText = backendFields.includes(name) || ['name', 'namespace', 'readFailure'].includes(name)
  return isText ? text : (numberOf(text) ?? text)
}

/** The value of an option whose kind only its package knows. */
function guess(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return numberOf(text) ?? text
}

function numberOf(text: string): number | undefined {
  if (text === 'Infinity') return Number.POSITIVE_INFINITY
  return /^\d{1,15}(?:\.\d+)?$/.test(text) ? Number(text) : undefined
}
