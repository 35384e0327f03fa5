import { type Cache, CacheError } from '@cache/core'

export async function hits(cache: Cache, key: string): Promise<boolean> {
  return (await cache.get(key)) !== undefined
}

export function isCacheError(error: CacheError): boolean {
  return error instanceof CacheError
}
