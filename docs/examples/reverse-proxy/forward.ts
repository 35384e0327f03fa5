import { type IncomingMessage, request as send } from 'node:http'
import { Readable } from 'node:stream'
import type { OriginCall } from '@cache/http'

/** Fields of a connection, which a proxy does not forward. */
const ofTheConnection = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade']

/** Sends a request to the server at `target`, with the changes that the cache asks for. */
export function forward(target: URL, request: IncomingMessage, call: OriginCall): Promise<Response> {
  const headers = { ...request.headers }
  const listed = String(headers.connection ?? '').split(',')
  for (const name of [...ofTheConnection, ...listed]) delete headers[name.trim().toLowerCase()]
  for (const name of call.remove) delete headers[name]
  for (const [name, value] of call.add) headers[name] = value
  const { method } = request
  return new Promise((resolve, reject) => {
    const sent = send(new URL(request.url ?? '/', target), { method, headers }, (received) => {
      try {
        resolve(toResponse(received))
      } catch (error) {
        // A status that Fetch does not have, such as 999.
        received.destroy()
        reject(error)
      }
    })
    sent.on('error', reject)
    // A shared request has no body. It goes on when this client leaves.
    if (call.isShared) sent.end()
    else request.pipe(sent)
  })
}

function toResponse(received: IncomingMessage): Response {
  const headers = new Headers()
  for (let at = 0; at < received.rawHeaders.length; at += 2)
    headers.append(received.rawHeaders[at] as string, received.rawHeaders[at + 1] as string)
  const status = received.statusCode ?? 502
  const hasBody = ![204, 205, 304].includes(status)
  if (!hasBody) received.resume()
  const body = hasBody ? (Readable.toWeb(received) as ReadableStream<Uint8Array>) : null
  return new Response(body, { status, statusText: received.statusMessage ?? '', headers })
}
