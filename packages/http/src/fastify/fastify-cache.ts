import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Answer, OriginCall } from '../exchange/cache-request.ts'
import type { HttpCache } from '../http-cache.ts'
import { captureResponse } from '../node/capture-response.ts'
import { detachedPair } from '../node/detached-pair.ts'
import { changeFields, nodeRequest } from '../node/node-request.ts'
import { nodeFields } from '../node/write-answer.ts'

export interface FastifyCacheOptions {
  readonly cache: HttpCache
}

/** A request whose handler runs. */
interface Pending {
  /** Gives the cache the response of the handler. */
  readonly resolve: (response: Response) => void
  readonly answering: Promise<Answer | undefined>
}

const withoutBody: ReadonlySet<number> = new Set([204, 205, 304])

function plugin(fastify: FastifyInstance, { cache }: FastifyCacheOptions, done: (error?: Error) => void): void {
  const renewals = new WeakSet<IncomingMessage>()
  const pending = new WeakMap<FastifyRequest, Pending>()

  function renew(request: IncomingMessage, call: OriginCall): Promise<Response> {
    const pair = detachedPair(request)
    changeFields(pair.request.headers, call)
    renewals.add(pair.request)
    const captured = captureResponse(pair.response, true)
    fastify.routing(pair.request, pair.response)
    return captured.response
  }

  fastify.addHook('onRequest', async (request, reply) => {
    const { raw } = request
    if (renewals.has(raw)) return
    let proceed: (resolve: (response: Response) => void) => void = () => {}
    const proceeding = new Promise<(response: Response) => void>((resolve) => {
      proceed = resolve
    })
    const answering = cache.respond(nodeRequest(raw), (call) => {
      if (call.isBackground) return renew(raw, call)
      changeFields(raw.headers, call)
      return new Promise<Response>((resolve) => proceed(resolve))
    })
    const first = await Promise.race([answering, proceeding])
    if (typeof first === 'function') {
      // Only a time limit fails here. The handler then answers by itself.
      pending.set(request, { resolve: first, answering: answering.catch(() => undefined) })
      return
    }
    apply(reply, first)
    return reply.send(payloadOf(first))
  })

  fastify.addHook('onSend', async (request, reply, payload) => {
    const handler = pending.get(request)
    if (handler === undefined) return payload
    pending.delete(request)
    handler.resolve(responseOf(reply, payload))
    const answer = await handler.answering
    if (answer === undefined) return payload
    for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name)
    apply(reply, answer)
    return payloadOf(answer)
  })

  // A handler that wrote to the connection itself has no response for others.
  fastify.addHook('onResponse', async (request) => {
    pending.get(request)?.resolve(new Response(null, { status: 502 }))
  })
  done()
}

function apply(reply: FastifyReply, answer: Answer): void {
  reply.code(answer.status)
  reply.headers(nodeFields(answer.fields))
}

function payloadOf({ body }: Answer): Buffer | Readable | undefined {
  if (body === undefined) return undefined
  if (body instanceof ReadableStream) return Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0])
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

function responseOf(reply: FastifyReply, payload: unknown): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(reply.getHeaders()))
    for (const each of Array.isArray(value) ? value : [value]) headers.append(name, String(each))
  const body = bodyOf(payload)
  if (body instanceof Uint8Array && !headers.has('content-length'))
    headers.set('content-length', String(body.byteLength))
  const status = reply.statusCode
  return new Response(withoutBody.has(status) ? null : (body as ReadableStream<Uint8Array> | null), { status, headers })
}

function bodyOf(payload: unknown): Uint8Array | ReadableStream<Uint8Array> | null {
  if (payload === undefined || payload === null) return null
  if (typeof payload === 'string') return Buffer.from(payload)
  if (payload instanceof Uint8Array || payload instanceof ReadableStream) return payload
  if (payload instanceof Response) return payload.body
  return Readable.toWeb(Readable.from(bytesOf(payload as Readable))) as ReadableStream<Uint8Array>
}

/** Streams of frameworks may give strings. */
async function* bytesOf(stream: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const part of stream) yield typeof part === 'string' ? Buffer.from(part) : part
}

/**
 * A plugin for Fastify 5 that answers from the cache. It covers the routes of the instance that registers it. A stale response is renewed by
 * a request of its own to the application.
 */
export const fastifyCache: typeof plugin = Object.assign(plugin, {
  // Without this mark the hooks would cover the routes of the plugin only, which has none.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@cache/http',
})
