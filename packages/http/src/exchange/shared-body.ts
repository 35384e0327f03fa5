import { deferred } from './deferred.ts'
import { OriginTimeout } from './in-time.ts'
import type { Settings } from './settings.ts'

/** A reader that has not asked for so long that its part of the body is gone. */
class FellBehind extends Error {
  constructor(limit: number) {
    super(`a reader of a shared response fell more than ${limit} bytes behind the fastest one. Raise maxBodyBytes`)
    this.name = 'FellBehind'
  }
}

/** A body that ended before its Content-Length. */
class TruncatedBody extends Error {
  constructor(received: number, declared: number) {
    super(`the body of the origin ended after ${received} of ${declared} bytes`)
    this.name = 'TruncatedBody'
  }
}

type Part = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>

interface Reader {
  /** Absolute position of the next byte that it gets. */
  position: number
  wake: (() => void) | undefined
}

/**
 * One body of the origin for many readers. Up to `limit` bytes it is read as fast as it arrives and kept, so that no reader waits for
 * another. From then on it is read at the pace of the fastest reader, and only the last `limit` bytes are kept: a reader that falls
 * further behind gets an error. So a body never takes much more than `limit` bytes of memory.
 */
export class SharedBody {
  /** Resolves to the complete body; to `undefined` when it is larger than `limit`. Rejects when it is truncated. */
  readonly whole: Promise<Uint8Array | undefined>
  readonly #source: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #limit: number
  readonly #settings: Pick<Settings, 'timeout' | 'clock'>
  readonly #declared: number | undefined
  readonly #readers = new Set<Reader>()
  #chunks: Uint8Array[] = []
  /** Absolute position of the first byte that is kept. */
  #start = 0
  #end = 0
  #isDone = false
  #failure: { readonly error: unknown } | undefined
  #wakePump: (() => void) | undefined
  #settle: { resolve(whole: Uint8Array | undefined): void; reject(error: unknown): void }

  constructor(
    source: ReadableStream<Uint8Array> | null,
    declared: number | undefined,
    settings: Pick<Settings, 'maxBodyBytes' | 'timeout' | 'clock'>,
  ) {
    this.#source = source?.getReader()
    this.#limit = settings.maxBodyBytes
    this.#settings = settings
    this.#declared = declared
    const { promise, resolve, reject } = deferred<Uint8Array | undefined>()
    this.whole = promise
    // A response that is not stored has no other listener.
    promise.catch(() => {})
    this.#settle = { resolve, reject }
    void this.#pump()
  }

  /** The body from its first byte, or `undefined` when that is no longer kept. */
  open(): ReadableStream<Uint8Array> | undefined {
    if (this.#start > 0) return undefined
    const reader: Reader = { position: 0, wake: undefined }
    this.#readers.add(reader)
    return new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(reader, controller),
        cancel: () => this.#leave(reader),
      },
      { highWaterMark: 0 },
    )
  }

  async #pull(reader: Reader, controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (true) {
      if (reader.position < this.#start) {
        this.#leave(reader)
        throw new FellBehind(this.#limit)
      }
      if (reader.position < this.#end) {
        const chunk = this.#chunkAt(reader.position)
        reader.position += chunk.byteLength
        controller.enqueue(chunk)
        return
      }
      if (this.#failure !== undefined) throw this.#failure.error
      if (this.#isDone) {
        this.#leave(reader)
        controller.close()
        return
      }
      await new Promise<void>((resolve) => {
        reader.wake = resolve
        this.#wakePump?.()
      })
    }
  }

  /** Positions of readers are always the beginnings of chunks. */
  #chunkAt(position: number): Uint8Array {
    let at = this.#start
    for (const chunk of this.#chunks) {
      if (at === position) return chunk
      at += chunk.byteLength
    }
    throw new RangeError(`no chunk begins at ${position}`)
  }

  #leave(reader: Reader): void {
    this.#readers.delete(reader)
    this.#wakePump?.()
  }

  async #pump(): Promise<void> {
    try {
      while (this.#source !== undefined) {
        if (this.#end > this.#limit && !(await this.#isWanted())) {
          await this.#source.cancel()
          return
        }
        const { done, value } = await this.#read(this.#source)
        if (done) break
        if (value.byteLength > 0) this.#add(value)
      }
      if (this.#declared !== undefined && this.#end !== this.#declared)
        throw new TruncatedBody(this.#end, this.#declared)
      this.#isDone = true
      this.#settle.resolve(this.#start === 0 && this.#end <= this.#limit ? this.#joined() : undefined)
    } catch (error) {
      this.#failure = { error }
      this.#settle.reject(error)
    }
    this.#wakeReaders()
  }

  /** The next part. A body that stops arriving must not hold its key for all later requests. */
  async #read(source: ReadableStreamDefaultReader<Uint8Array>): Promise<Part> {
    const { timeout, clock } = this.#settings
    const late = deferred<never>()
    const cancel = clock.after(timeout, () => {
      late.reject(new OriginTimeout('more of a body', timeout))
      source.cancel().catch(() => {})
    })
    try {
      return await Promise.race([source.read(), late.promise])
    } finally {
      cancel()
    }
  }

  #add(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#end += chunk.byteLength
    if (this.#end > this.#limit) {
      // Too large to be stored: nobody waits for the whole any longer.
      this.#settle.resolve(undefined)
      while (this.#end - this.#start > this.#limit && this.#chunks.length > 1)
        this.#start += (this.#chunks.shift() as Uint8Array).byteLength
    }
    this.#wakeReaders()
  }

  /** Waits until a reader has taken all that there is. Resolves to `false` when no reader is left. */
  async #isWanted(): Promise<boolean> {
    while (this.#readers.size > 0) {
      for (const reader of this.#readers) if (reader.position === this.#end && reader.wake !== undefined) return true
      await new Promise<void>((resolve) => {
        this.#wakePump = resolve
      })
    }
    return false
  }

  #wakeReaders(): void {
    for (const reader of this.#readers) {
      reader.wake?.()
      reader.wake = undefined
    }
  }

  #joined(): Uint8Array {
    const whole = new Uint8Array(this.#end)
    let at = 0
    for (const chunk of this.#chunks) {
      whole.set(chunk, at)
      at += chunk.byteLength
    }
    return whole
  }
}
