import { Cache } from '../cache/cache.ts'
import { checkOptions, invalidArgument } from '../protocol/argument.ts'
import type { CacheBackend } from '../protocol/backend.ts'
import type { BackendConfig, CacheConfig, OpenOptions } from './cache-config.ts'
import { backendFields } from './fields.ts'
import { PackageImports } from './import-package.ts'
import { openConfigured, readConfig } from './open-backend.ts'

/**
 * Opens a cache from a URL or a plain object. Resolves to a `Cache`, which closes its backend. Imports the packages that the
 * configuration needs.
 *
 * Rejects with `INVALID_ARGUMENT` for an unknown field, a bad value, or a package that is not installed; the message names the field.
 * Connections are made by the first call, so an unreachable server does not reject here.
 */
export async function openCache<Value = unknown>(
  config: string | CacheConfig<Value>,
  options: OpenOptions = {},
): Promise<Cache<Value>> {
  const imports = importsOf(options, 'openCache')
  const read = readConfig(config, 'openCache') as CacheConfig<Value>
  const own = Object.entries(read).filter(([name]) => !backendFields.includes(name))
  const backend = await openConfigured(read, imports, 'openCache')
  try {
    return new Cache<Value>({ ...Object.fromEntries(own), backend })
  } catch (error) {
    await backend.close?.()
    throw error
  }
}

/** Opens only the backend of a configuration. Rejects like `openCache`. */
export async function openBackend(config: string | BackendConfig, options: OpenOptions = {}): Promise<CacheBackend> {
  const imports = importsOf(options, 'openBackend')
  const read = readConfig(config, 'openBackend')
  for (const name of Object.keys(read)) {
    if (!backendFields.includes(name))
      throw invalidArgument(name, undefined, 'absent: it is an option of a cache', 'openBackend')
  }
  return await openConfigured(read, imports, 'openBackend')
}

function importsOf(options: OpenOptions, operation: string): PackageImports {
  checkOptions(options, ['import'], operation)
  if (options.import !== undefined && typeof options.import !== 'function') {
    throw invalidArgument('import', options.import, 'a function from the name of a package to its exports', operation)
  }
  return new PackageImports(options)
}
