import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CallOrigin } from '../exchange/cache-request.ts'
import type { HttpCache } from '../http-cache.ts'
import { nodeRequest } from './node-request.ts'
import { writeAnswer } from './write-answer.ts'

/**
 * Answers a request of `node:http` from the cache, or from `origin`: for proxies. Resolves when the answer is written. Rejects with the error
 * of `origin` before anything is written.
 */
export async function answerNode(
  cache: HttpCache,
  request: IncomingMessage,
  response: ServerResponse,
  origin: CallOrigin,
): Promise<void> {
  await writeAnswer(response, await cache.respond(nodeRequest(request), origin))
}
