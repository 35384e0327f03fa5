import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpCache } from '../http-cache.ts'
import { answerNode } from './answer-node.ts'
import { captureResponse } from './capture-response.ts'
import { detachedPair } from './detached-pair.ts'
import { changeFields } from './node-request.ts'

/** A listener of `node:http`. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown

/**
 * A listener that answers from the cache, and calls `listener` for the rest. For requests that may be cached `listener` gets a copy of the
 * request and a response without a connection, so that its work goes on when the client leaves. An error of `listener` is answered with 500.
 */
export function cachedListener(cache: HttpCache, listener: Listener): Listener {
  return async (request, response) => {
    try {
      await answerNode(cache, request, response, async (call) => {
        const pair = call.isShared ? detachedPair(request) : { request, response: detachedPair(request).response }
        changeFields(pair.request.headers, call)
        const captured = captureResponse(pair.response, true)
        const failed = Promise.resolve(listener(pair.request, pair.response)).then(() => new Promise<never>(() => {}))
        return await Promise.race([captured.response, failed])
      })
    } catch {
      if (response.headersSent) response.destroy()
      else response.writeHead(500, { 'content-length': 0 }).end()
    }
  }
}
