import type { ServerResponse } from 'node:http'
import type { Writers } from './write-answer.ts'

/** The output of a handler of `node:http`. */
export interface Captured {
  /** Resolves with the head. Its body goes on until the handler ends it. */
  readonly response: Promise<Response>
  /** The methods that write to the connection. */
  readonly writers: Writers
}

const withoutBody: ReadonlySet<number> = new Set([204, 205, 304])

/** Bytes that a handler may write ahead of the cache, before `write` returns `false`. */
const highWaterMark = 64 * 1024

/**
 * Takes what a handler writes to a response, instead of its connection. `isDetached`: the response has no connection, so that the events of
 * its end come from here.
 */
export function captureResponse(target: ServerResponse, isDetached: boolean): Captured {
  const writers: Writers = { writeHead: target.writeHead, write: target.write, end: target.end }
  let resolve: (response: Response) => void = () => {}
  const response = new Promise<Response>((done) => {
    resolve = done
  })
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let hasHead = false
  let hasBegun = false
  let hasEnded = false
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given
      },
      pull: () => void target.emit('drain'),
      cancel() {
        isCancelled = true
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark }),
  )

  function begin(): void {
    if (hasBegun) return
    // Through the outermost method: middleware such as `compression` changes fields there.
    if (!hasHead) target.writeHead(target.statusCode)
    if (hasBegun) return
    hasBegun = true
    const headers = new Headers()
    for (const [name, value] of Object.entries(target.getHeaders()))
      for (const each of Array.isArray(value) ? value : [value]) headers.append(name, String(each))
    const { statusCode: status, statusMessage } = target
    const hasBody = !withoutBody.has(status)
    if (!hasBody) isCancelled = true
    resolve(new Response(hasBody ? body : null, { status, statusText: statusMessage ?? '', headers }))
  }

  function add(chunk: unknown, encoding: unknown): void {
    if (chunk === undefined || chunk === null || isCancelled) return
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, (typeof encoding === 'string' ? encoding : 'utf8') as BufferEncoding)
        : // The handler may use its buffer again.
          Uint8Array.from(chunk as Uint8Array)
    if (bytes.byteLength > 0) controller?.enqueue(bytes)
  }

  const overrides = {
    writeHead(status: number, ...rest: unknown[]) {
      if (typeof rest[0] === 'string') target.statusMessage = rest.shift() as string
      target.statusCode = status
      setFields(target, rest[0])
      hasHead = true
      return target
    },
    write(chunk: unknown, ...rest: unknown[]) {
      begin()
      add(chunk, rest[0])
      callLast(rest)
      return isCancelled || (controller?.desiredSize ?? 1) > 0
    },
    end(...given: unknown[]) {
      if (hasEnded) return target
      const [chunk, encoding] = typeof given[0] === 'function' ? [] : given
      // The length is known before the head leaves, as in Node.
      if (!hasBegun && !target.hasHeader('content-length') && typeof chunk !== 'function')
        setLength(target, chunk, encoding)
      begin()
      add(chunk, encoding)
      hasEnded = true
      if (!isCancelled) controller?.close()
      callLast(given)
      if (isDetached) {
        queueMicrotask(() => {
          target.emit('finish')
          target.emit('close')
        })
      }
      return target
    },
    flushHeaders: begin,
  }
  Object.assign(target, overrides)
  Object.defineProperties(target, {
    headersSent: { configurable: true, get: () => hasHead || hasBegun },
    writableEnded: { configurable: true, get: () => hasEnded },
  })
  if (!isDetached) {
    target.once('close', () => {
      // A handler that pipes a stream stops when the client leaves. Its body is not complete.
      if (hasBegun && !hasEnded && !isCancelled)
        controller?.error(new Error('the client left before the handler ended'))
    })
  }
  return { response, writers }
}

function setFields(target: ServerResponse, fields: unknown): void {
  if (Array.isArray(fields)) {
    const pairs = Array.isArray(fields[0]) ? (fields as [string, string][]) : pairsOf(fields as string[])
    for (const [name] of pairs) target.removeHeader(name)
    for (const [name, value] of pairs) target.appendHeader(name, value)
    return
  }
  for (const [name, value] of Object.entries((fields ?? {}) as Record<string, string>))
    if (value !== undefined) target.setHeader(name, value)
}

function pairsOf(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] as string] as [string, string]] : []))
}

function setLength(target: ServerResponse, chunk: unknown, encoding: unknown): void {
  if (withoutBody.has(target.statusCode) || target.req.method === 'HEAD') return
  const length =
    typeof chunk === 'string'
      ? Buffer.byteLength(chunk, encoding as BufferEncoding)
      : (chunk as Uint8Array | undefined)?.byteLength
  target.setHeader('content-length', length ?? 0)
}

function callLast(given: readonly unknown[]): void {
  const last = given.at(-1)
  if (typeof last === 'function') queueMicrotask(() => last())
}
