import type { ClientConfig } from 'pg'
import { parse } from 'pg-connection-string'
import type { ResolvedConnections } from './connection-options.ts'

/**
 * The options of `pg` for a connection that this package opens. `pg` itself lets the URL override the options even for
 * settings that the URL lacks: a user, password or certificate given in `options` would be lost. Files named in a URL
 * are read anew for each connection.
 */
export function clientConfig({ url, options }: Pick<ResolvedConnections, 'url' | 'options'>): ClientConfig {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined)
  return {
    keepAlive: true,
    fallback_application_name: '@cache/postgres',
    ...(url === undefined ? {} : (parse(url) as object)),
    ...Object.fromEntries(given),
  }
}
