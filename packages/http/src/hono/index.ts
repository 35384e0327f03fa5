export { type HonoCacheOptions, honoCache } from './hono-cache.ts'
