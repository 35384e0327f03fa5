import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** A copy of a request that has no body and does not end with the client, and a response without a connection. */
export function detachedPair(given: IncomingMessage): { request: IncomingMessage; response: ServerResponse } {
  const socket = new Socket()
  // Applications read the address and the encryption of the client.
  for (const name of ['remoteAddress', 'remotePort', 'localPort', 'encrypted'] as const)
    Object.defineProperty(socket, name, {
      value: (given.socket as unknown as Record<string, unknown> | undefined)?.[name],
    })
  const request = new IncomingMessage(socket)
  request.method = given.method ?? 'GET'
  request.url = (given as { readonly originalUrl?: string }).originalUrl ?? given.url ?? '/'
  request.httpVersion = given.httpVersion
  request.httpVersionMajor = given.httpVersionMajor
  request.httpVersionMinor = given.httpVersionMinor
  request.headers = { ...given.headers }
  request.rawHeaders = [...given.rawHeaders]
  request.complete = true
  request.push(null)
  return { request, response: new ServerResponse(request) }
}
