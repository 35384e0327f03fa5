const lf = 10
const dash = 45
const zero = 48
const nine = 57

/** First bytes of RESP2 and RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec/). */
const bulks: ReadonlySet<number> = bytesOf('$=!')
const lists: ReadonlySet<number> = bytesOf('*~>')
const map = 0x25

/**
 * The most values in one reply, at all its levels together. ioredis allocates a list by its announced length, and Redis
 * sends no reply of more values.
 */
const mostValues = 2 ** 24
/** The longest bulk string: the highest `proto-max-bulk-len` of Redis. */
const mostBytes = 2 ** 40

function bytesOf(text: string): ReadonlySet<number> {
  return new Set(Buffer.from(text, 'latin1'))
}

/** Finds where each reply of one connection ends. A reply may arrive in chunks of any size. */
export class ReplyBounds {
  /** Values of the current reply that have not ended. */
  #values = 0
  /** Bytes left of the current bulk string, with its line end. */
  #bytes = 0
  /** The first byte of the current line; 0 between lines. */
  #type = 0
  #number = 0
  #isNegative = false

  /**
   * Where the current reply, or the one that begins at `start`, ends in this chunk; -1 when the next chunk continues
   * it. Throws a `RangeError` for a length that Redis does not send.
   */
  endOf(chunk: Buffer, start: number): number {
    let at = start
    if (this.#values === 0) this.#values = 1
    while (at < chunk.length) {
      if (this.#bytes > 0) {
        const read = Math.min(this.#bytes, chunk.length - at)
        at += read
        this.#bytes -= read
        if (this.#bytes === 0) this.#values -= 1
      } else {
        this.#readByte(chunk[at] as number)
        at += 1
      }
      if (this.#values === 0) return at
    }
    return -1
  }

  #readByte(byte: number): void {
    if (this.#type === 0) {
      this.#type = byte
      this.#number = 0
      this.#isNegative = false
    } else if (byte === lf) {
      this.#endLine()
      this.#type = 0
    } else if (byte === dash) this.#isNegative = true
    else if (byte >= zero && byte <= nine) this.#number = this.#number * 10 + byte - zero
  }

  #endLine(): void {
    const size = this.#isNegative ? 0 : this.#number
    if (bulks.has(this.#type) && !this.#isNegative) this.#bytes = size + 2
    else if (lists.has(this.#type)) this.#values += size - 1
    else if (this.#type === map) this.#values += 2 * size - 1
    else this.#values -= 1
    if (this.#values > mostValues || this.#bytes > mostBytes) {
      throw new RangeError('a reply is longer than replies of Redis are')
    }
  }
}
