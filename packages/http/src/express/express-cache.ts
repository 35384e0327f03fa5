import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, OriginCall } from '../exchange/cache-request.ts'
import type { HttpCache } from '../http-cache.ts'
import { type Captured, captureResponse } from '../node/capture-response.ts'
import { detachedPair } from '../node/detached-pair.ts'
import { changeFields, nodeRequest } from '../node/node-request.ts'
import { writeAnswer } from '../node/write-answer.ts'

interface Application {
  (request: IncomingMessage, response: ServerResponse): unknown
  readonly parent?: Application | undefined
}

const lateAnswer: Answer = { status: 504, statusText: '', fields: [['content-length', '0']], body: undefined }

/**
 * Middleware for Express 5 that answers from the cache. Place it before the routes, and before middleware that sets fields for each request.
 * A stale response is renewed by a request of its own to the application.
 */
export function expressCache(
  cache: HttpCache,
): (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void {
  const renewals = new WeakSet<IncomingMessage>()

  function renew(request: IncomingMessage, call: OriginCall): Promise<Response> {
    const pair = detachedPair(request)
    changeFields(pair.request.headers, call)
    renewals.add(pair.request)
    const captured = captureResponse(pair.response, true)
    let { app } = request as unknown as { app: Application }
    while (app.parent !== undefined) app = app.parent
    app(pair.request, pair.response)
    return captured.response
  }

  async function answer(request: IncomingMessage, response: ServerResponse, next: () => void): Promise<void> {
    let captured: Captured | undefined
    const answering = cache.respond(nodeRequest(request), (call) => {
      if (call.isBackground) return renew(request, call)
      changeFields(request.headers, call)
      captured = captureResponse(response, false)
      next()
      return captured.response
    })
    // Only a time limit fails here: the errors of the application are responses.
    const given = await answering.catch(() => lateAnswer)
    if (!response.destroyed) for (const name of response.getHeaderNames()) response.removeHeader(name)
    await writeAnswer(response, given, captured?.writers)
  }

  return (request, response, next) => {
    if (renewals.has(request)) next()
    else answer(request, response, next).catch(next)
  }
}
