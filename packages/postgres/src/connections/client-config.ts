import type { ClientConfig } from 'pg'
import { parse } from 'pg-connection-string'
import type { ResolvedConnections } from '../options.ts'

/**
 * What `pg` is given for a connection of our own. Left to itself it would let the URL win over the options, also where the
 * URL says nothing: a user, a password or a certificate beside it would be lost. Files that a URL names are read anew for
 * each connection.
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
