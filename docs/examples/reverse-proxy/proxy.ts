import { createServer, type Server } from 'node:http'
import type { HttpCache } from '@cache/http'
import { answerNode } from '@cache/http/node'
import { forward } from './forward.ts'

/** A server that answers from the cache, and from the server at `target` otherwise. */
export function reverseProxy(cache: HttpCache, target: URL): Server {
  return createServer(async (request, response) => {
    try {
      await answerNode(cache, request, response, (call) => forward(target, request, call))
    } catch {
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'content-length': 0 }).end()
    }
  })
}
