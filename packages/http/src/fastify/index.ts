export { type FastifyCacheOptions, fastifyCache } from './fastify-cache.ts'
