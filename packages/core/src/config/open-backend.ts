import { checkOptions, invalidArgument, isList, isRecord, oneOf } from '../protocol/argument.ts'
import type { CacheBackend } from '../protocol/backend.ts'
import { CacheError, cacheErrorCode } from '../protocol/cache-error.ts'
import { checkBackend } from '../protocol/check-backend.ts'
import { nullBackend } from '../protocol/null-backend.ts'
import type { BackendConfig, CacheConfig, Section, Serialization } from './cache-config.ts'
import { backendFields, cacheFields, sectionFields } from './fields.ts'
import type { PackageImports } from './import-package.ts'
import { type Class, given, type Provider, providers } from './providers.ts'
import { readUrl } from './read-url.ts'

const codecs: Readonly<Record<Serialization, string>> = {
  msgpack: 'msgpackCodec',
  json: 'jsonCodec',
  'lossy-json': 'lossyJsonCodec',
  v8: 'v8Codec',
  raw: 'rawCodec',
}
const algorithms = ['gzip', 'brotli', 'zstd'] as const
const sectionOf = ['memory', 'file', 'redis', 'postgres'] as const
/** Fields of the whole, which each of several parts has for itself. */
const ofOnePart = ['prefix', 'maxEntries', 'maxBytes', 'policy', 'serialization', 'compression', 'options']

/** A part that `close` has to close when a later part cannot be opened. */
interface Closable {
  close?(): Promise<void> | undefined
}

/**
 * A configuration with the fields of its URL, checked for unknown fields. A field that stands beside the URL wins over one in it; two
 * sections are merged.
 */
export function readConfig(config: unknown, where: string): CacheConfig {
  const described = typeof config === 'string' ? { url: config } : config
  if (!isRecord(described)) throw invalidArgument(where, undefined, `a URL or an object, not ${kindOf(config)}`)
  checkOptions(described, [...backendFields, ...cacheFields], where)
  const { url, ...rest } = described as CacheConfig
  for (const name of sectionFields) {
    const section = (rest as Record<string, unknown>)[name]
    if (section !== undefined && !isRecord(section)) throw invalidArgument(name, section, 'an object', where)
  }
  if (url === undefined) return rest
  if (typeof url !== 'string') throw invalidArgument('url', url, 'a text', where)
  const isForeign = rest.provider !== undefined && !isOwn(rest.provider)
  // A package reads its URL itself.
  if (isForeign) return { ...rest, url }
  const read = readUrl(url, where)
  if (rest.provider !== undefined && rest.provider !== read.provider) {
    throw invalidArgument('provider', rest.provider, `'${read.provider}', the provider of the URL, or absent`, where)
  }
  const merged: Record<string, unknown> = { ...read, ...given(rest as Section) }
  for (const name of sectionFields) {
    const [one, other] = [(read as Record<string, unknown>)[name], (rest as Record<string, unknown>)[name]]
    if (one !== undefined && other !== undefined) merged[name] = { ...one, ...other }
  }
  return merged as CacheConfig
}

/** Opens the backend of a configuration that `readConfig` has returned. Closes what it has opened when a part fails. */
export async function openConfigured(
  config: BackendConfig,
  imports: PackageImports,
  where: string,
): Promise<CacheBackend> {
  const opened: Closable[] = []
  try {
    return await openWhole(config, { imports, opened }, where)
  } catch (error) {
    for (const part of opened.reverse()) await part.close?.()?.catch(() => {})
    throw error
  }
}

interface Opening {
  readonly imports: PackageImports
  /** The parts that are open, the oldest first. */
  readonly opened: Closable[]
}

async function openWhole(config: BackendConfig, opening: Opening, where: string): Promise<CacheBackend> {
  const { fallback, failover = {}, ...rest } = config
  if (fallback === undefined) {
    if (config.failover !== undefined) throw invalidArgument('failover', failover, "absent without 'fallback'", where)
    return await openLayers(rest, opening, where)
  }
  const { imports } = opening
  const resilient = await imports.load('@cache/resilient', `${where}: 'fallback' is given`)
  const primary = await openLayers(rest, opening, where)
  const secondary = await openPart(fallback, opening, `${where}.fallback`)
  const join = resilient.failover as (backends: readonly CacheBackend[], options: Section) => CacheBackend
  return named(`${where}.failover`, () => join([primary, secondary], failover))
}

async function openLayers(config: BackendConfig, opening: Opening, where: string): Promise<CacheBackend> {
  const { layers, near, layered, bus, ...last } = config
  if (layers === undefined && near === undefined) {
    for (const [name, value] of [
      ['layered', layered],
      ['bus', bus],
    ] as const) {
      if (value !== undefined) throw invalidArgument(name, value, "absent without 'layers' or 'near'", where)
    }
    return await openOne(last, opening, where)
  }
  if (layers !== undefined && near !== undefined) throw invalidArgument('near', near, "absent beside 'layers'", where)
  const parts: (readonly [given: unknown, place: string])[] =
    layers === undefined
      ? [
          [near, `${where}.near`],
          [last, where],
        ]
      : layersOf(layers, last, where)
  const { imports, opened } = opening
  const packageOf = await imports.load(
    '@cache/layered',
    `${where}: '${near === undefined ? 'layers' : 'near'}' is given`,
  )
  const backends: CacheBackend[] = []
  for (const [part, place] of parts) backends.push(await openPart(part, opening, place))
  const [lastPart, lastPlace] = parts[parts.length - 1] as (typeof parts)[number]
  const openedBus = await openBus(readConfig(lastPart, lastPlace), bus, imports, where)
  if (openedBus !== undefined) opened.push(openedBus as Closable)
  const LayeredBackend = packageOf.LayeredBackend as Class
  const options = { ...layered, layers: backends, ...(openedBus === undefined ? {} : { bus: openedBus }) }
  return keep(
    opened,
    named(`${where}.layered`, () => new LayeredBackend(options) as CacheBackend),
  )
}

function layersOf(layers: unknown, last: BackendConfig, where: string): (readonly [unknown, string])[] {
  if (!isList(layers) || layers.length < 2) {
    throw invalidArgument('layers', layers, 'an array of two or more URLs or objects, nearest first', where)
  }
  for (const name of ['url', 'provider', ...ofOnePart, ...sectionOf]) {
    const value = (last as Readonly<Record<string, unknown>>)[name]
    if (value !== undefined) throw invalidArgument(name, undefined, `in a member of 'layers', not beside it`, where)
  }
  return layers.map((layer, index) => [layer, `${where}.layers[${index}]`] as const)
}

/** Opens a nested configuration, which has no options of a cache. */
async function openPart(part: unknown, opening: Opening, where: string): Promise<CacheBackend> {
  const config = readConfig(part, where)
  for (const name of Object.keys(config)) {
    if (cacheFields.includes(name)) {
      throw new CacheError('INVALID_ARGUMENT', `${where}: '${name}' is an option of the cache; give it at the top`, {
        operation: 'openCache',
      })
    }
  }
  return await openWhole(config, opening, where)
}

async function openOne(config: BackendConfig, { imports, opened }: Opening, where: string): Promise<CacheBackend> {
  const name = providerOf(config, where)
  if (name === 'null') {
    checkFields(config, name, [], undefined, where)
    return nullBackend
  }
  if (!isOwn(name)) return keep(opened, await openForeign(name, config, imports, where))
  const provider = providers[name]
  checkFields(config, name, provider.fields, name, where)
  const options = provider.backendOptions(config, where)
  const module = await imports.load(provider.package, `${where}: the provider is '${name}'`)
  const format = await formatOf(config, imports, where)
  const Backend = module[provider.backendClass] as Class
  return keep(
    opened,
    named(`${where}.${name}`, () => new Backend({ ...format, ...options }) as CacheBackend),
  )
}

async function openForeign(
  name: string,
  config: BackendConfig,
  imports: PackageImports,
  where: string,
): Promise<CacheBackend> {
  const fields = ['prefix', 'maxEntries', 'maxBytes', 'policy', 'serialization', 'compression']
  checkFields(config, name, fields, 'options', where)
  const module = await imports.load(name, `${where}: the provider is '${name}'`)
  const open = module.openBackend
  if (typeof open !== 'function') {
    throw invalidArgument('provider', name, "a package that exports the function 'openBackend'", where)
  }
  const { provider: _, options, ...rest } = config
  return checkBackend(await open({ ...given(rest as Section), ...options }), `the backend of '${name}'`, where)
}

/** The name of the provider: given, of the URL, or of the only section. */
function providerOf(config: BackendConfig, where: string): string {
  const { provider } = config
  if (provider !== undefined) {
    if (typeof provider !== 'string' || provider === '') {
      throw invalidArgument('provider', provider, `${allProviders}, or the name of a package`, where)
    }
    return provider
  }
  const found = sectionOf.filter((name) => config[name] !== undefined)
  if (found.length !== 1) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${where}: give 'url', or 'provider' (${allProviders}, or the name of a package), or one section; found ${
        found.length === 0 ? 'none' : `the sections ${found.join(', ')}`
      }`,
      { operation: 'openCache' },
    )
  }
  return found[0] as string
}

const allProviders = "'memory', 'file', 'redis', 'postgres', 'null'"

function isOwn(name: string): name is keyof typeof providers {
  return Object.hasOwn(providers, name)
}

/** Refuses each field that has no effect with this provider. */
function checkFields(
  config: BackendConfig,
  provider: string,
  fields: readonly string[],
  section: string | undefined,
  where: string,
): void {
  const allowed = ['url', 'provider', ...(section === undefined ? [] : [section]), ...fields]
  for (const [name, value] of Object.entries(config)) {
    if (value === undefined || allowed.includes(name) || cacheFields.includes(name)) continue
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${where}: '${name}' has no effect with the provider '${provider}'; allowed are ${allowed.join(', ')}`,
      { operation: 'openCache' },
    )
  }
}

async function formatOf(config: BackendConfig, imports: PackageImports, where: string): Promise<Section> {
  const { serialization, compression } = config
  const compressed = compressionOf(compression, where)
  if (serialization === undefined) return compressed
  const name = codecs[oneOf(serialization, Object.keys(codecs) as Serialization[], 'serialization', where)]
  const module = await imports.load('@cache/codecs', `${where}: 'serialization' is given`)
  return { ...compressed, codec: module[name] }
}

function compressionOf(compression: BackendConfig['compression'], where: string): Section {
  if (compression === undefined || compression === false) return {}
  if (compression === true) return { compression: { algorithm: 'gzip' } }
  if (typeof compression === 'object') {
    if (!isRecord(compression)) throw invalidArgument('compression', compression, 'an object', where)
    return { compression: { algorithm: 'gzip', ...compression } }
  }
  return { compression: { algorithm: oneOf(compression, algorithms, 'compression', where) } }
}

/** The bus of the last layer, if it has one and none is refused. */
async function openBus(
  config: BackendConfig,
  wanted: unknown,
  imports: PackageImports,
  where: string,
): Promise<unknown> {
  if (wanted !== undefined && typeof wanted !== 'boolean') throw invalidArgument('bus', wanted, 'true or false', where)
  if (wanted === false) return undefined
  const name = config.layers === undefined ? providerOf(config, where) : ''
  const provider: Provider | undefined = isOwn(name) ? providers[name] : undefined
  const { busClass, busOptions } = provider ?? {}
  if (provider === undefined || busClass === undefined || busOptions === undefined) {
    if (wanted === undefined) return undefined
    throw invalidArgument('bus', wanted, `absent or false: the last layer ('${name}') has no bus`, where)
  }
  const module = await imports.load(provider.package, `${where}: the provider is '${name}'`)
  return named(`${where}.bus`, () => new (module[busClass] as Class)(busOptions(config, where)))
}

function keep(opened: Closable[], backend: CacheBackend): CacheBackend {
  opened.push(backend)
  return backend
}

/** Puts the place in the configuration in front of the message of a refused option. */
function named<Result>(where: string, open: () => Result): Result {
  try {
    return open()
  } catch (error) {
    if (cacheErrorCode(error) !== 'INVALID_ARGUMENT') throw error
    throw new CacheError('INVALID_ARGUMENT', `${where}: ${(error as Error).message}`, {
      operation: 'openCache',
      cause: error,
    })
  }
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : isList(value) ? 'an array' : `a ${typeof value}`
}
