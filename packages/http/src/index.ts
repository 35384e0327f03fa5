export type { Answer, CacheRequest, CallOrigin, OriginCall } from './exchange/cache-request.ts'
export { HttpCache } from './http-cache.ts'
export type { HttpCacheOptions } from './http-cache-options.ts'
export type { FieldList, FieldReader } from './semantics/fields.ts'
