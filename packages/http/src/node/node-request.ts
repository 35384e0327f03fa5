import type { IncomingMessage } from 'node:http'
import type { CacheRequest } from '../exchange/cache-request.ts'

/** The URL of a request of `node:http`. Express keeps the whole path in `originalUrl`. */
export function nodeUrl(request: IncomingMessage): string {
  const isEncrypted = (request.socket as { readonly encrypted?: boolean } | undefined)?.encrypted === true
  const path = (request as { readonly originalUrl?: string }).originalUrl ?? request.url ?? '/'
  const host = request.headers.host ?? 'localhost'
  const url = new URL(path.startsWith('/') ? `${isEncrypted ? 'https' : 'http'}://${host}${path}` : path)
  url.hash = ''
  return url.href
}

/** A request of `node:http` as the cache sees it. The cache must see the fields as the client sent them, so they are copied. */
export function nodeRequest(request: IncomingMessage): CacheRequest {
  const headers = { ...request.headers }
  const length = headers['content-length']
  return {
    method: request.method ?? 'GET',
    url: nodeUrl(request),
    fields: {
      get: (name) => {
        const value = headers[name]
        return Array.isArray(value) ? value.join(', ') : value
      },
    },
    hasBody: headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0'),
  }
}

/** Applies to the fields of a request what a shared request to the origin needs. */
export function changeFields(
  headers: Record<string, string | string[] | undefined>,
  call: { readonly remove: readonly string[]; readonly add: readonly (readonly [string, string])[] },
): void {
  for (const name of call.remove) delete headers[name]
  for (const [name, value] of call.add) headers[name] = value
}
