import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Answer } from '../exchange/cache-request.ts'

/** The methods that write to the connection, which an adapter may have replaced on the response itself. */
export type Writers = Pick<ServerResponse, 'writeHead' | 'write' | 'end'>

/** Fields by name, as Node wants them: those with several values as an array. */
export function nodeFields(fields: Answer['fields']): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of fields) {
    const earlier = headers[name]
    headers[name] = earlier === undefined ? value : [earlier, value].flat()
  }
  return headers
}

/** Writes an answer, and resolves when it is written or the client has left. A body that fails ends the connection. */
export async function writeAnswer(response: ServerResponse, answer: Answer, by: Writers = response): Promise<void> {
  const { body } = answer
  if (response.destroyed || response.closed) {
    if (body instanceof ReadableStream) await body.cancel()
    return
  }
  Reflect.apply(by.writeHead, response, [answer.status, answer.statusText || undefined, nodeFields(answer.fields)])
  if (!(body instanceof ReadableStream)) {
    Reflect.apply(by.end, response, [body])
    return
  }
  const reader = body.getReader()
  const leave = (): void => {
    reader.cancel().catch(() => {})
  }
  response.once('close', leave)
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (!Reflect.apply(by.write, response, [part.value]) && !response.closed)
        await Promise.race([once(response, 'drain'), once(response, 'close')])
    }
    Reflect.apply(by.end, response, [])
  } catch {
    // The status is sent already: only a broken connection tells the client that the body is not complete.
    response.destroy()
  } finally {
    response.off('close', leave)
  }
}
