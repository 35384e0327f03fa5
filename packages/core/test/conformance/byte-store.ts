import { CacheError } from '../../src/backend-kit/index.ts'

/** What a server is to the reference backend of bytes: a map behind a wire, that can go away and come back. */
export class ByteStore {
  readonly entries: Map<string, Uint8Array> = new Map()
  /** While it is down, every request fails. */
  down = false
  /** While it is frozen, no request is answered. */
  frozen = false

  /** Sends a request and waits for its answer. The server runs one request at a time, each whole. */
  async request<Answer>(operation: string, work: (entries: Map<string, Uint8Array>) => Answer): Promise<Answer> {
    await hop()
    if (this.frozen) throw await this.#timeout(operation)
    if (this.down)
      throw new CacheError('UNAVAILABLE', `${operation}: the store is down`, { operation, backend: 'bytes' })
    const answer = work(this.entries)
    await hop()
    return answer
  }

  /** What a client makes of a request that nobody answers. */
  async #timeout(operation: string): Promise<CacheError> {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return new CacheError('TIMEOUT', `${operation}: no answer came in time`, { operation, backend: 'bytes' })
  }
}

/** One way over the wire: a few turns of the microtask queue, in which other requests get in between. */
async function hop(): Promise<void> {
  await null
  await null
}
