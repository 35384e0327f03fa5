import { Cache } from '@cache/core'
import { HttpCache } from '@cache/http'
import { MemoryBackend } from '@cache/memory'
import { reverseProxy } from './proxy.ts'

// node main.ts http://localhost:3000 8080
const [target = 'http://localhost:3000', port = '8080'] = process.argv.slice(2)
const backend = new MemoryBackend({ maxBytes: 256 * 1024 * 1024 })
const http = new HttpCache({ cache: new Cache({ backend, namespace: 'http' }), onError: console.error })
reverseProxy(http, new URL(target)).listen(Number(port), () => console.log(`port ${port} caches ${target}`))
