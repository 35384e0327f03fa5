import { fileURLToPath } from 'node:url'

const handler = fileURLToPath(new URL('./cache-handler.mjs', import.meta.url))

export default {
  cacheHandler: handler,
  cacheHandlers: { default: handler, remote: handler },
  cacheMaxMemorySize: 0,
  experimental: { useCache: true },
}
