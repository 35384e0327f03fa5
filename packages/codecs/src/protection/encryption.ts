import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomFillSync,
} from 'node:crypto'
import { isUint8Array } from 'node:util/types'
import { checkOptions, type Duration, invalidArgument, isList, milliseconds } from '@cache/core/backend'

export interface EncryptionOptions {
  /**
   * Keys of 32 bytes, the current one first. The first key seals new items; every key opens the items that it sealed. To
   * rotate, put a new key in front, and remove the old one when its items have expired.
   */
  readonly keys: readonly Uint8Array[]
  /**
   * A name of the store, such as `production`. An item that was sealed under another name is damaged. Give each store that
   * shares keys with another store a name of its own. Default: the empty text.
   */
  readonly context?: string | undefined
  /**
   * How far the clocks of processes that share a store may disagree. An item that is read later than this after its sealed
   * `expiresAt` is damaged. `Infinity` turns the check off. Default 1 minute.
   */
  readonly clockTolerance?: Duration | undefined
}

interface Key {
  readonly secret: KeyObject
  readonly id: number
}

const algorithm = 'aes-256-gcm'
const defaultClockTolerance = 60_000
const keyBytes = 32
const lengthBytes = 4
const idBytes = 4
const nonceBytes = 12
const tagBytes = 16
/** The seal is at the end of the frame: length of the header, key id, nonce and tag. */
const sealBytes = lengthBytes + idBytes + nonceBytes + tagBytes

/** Random bytes for several nonces: a call for twelve bytes costs more than a seal. */
const noncePool = Buffer.allocUnsafeSlow(nonceBytes * 128)
let nonceOffset = noncePool.length

function drawNonce(into: Buffer, offset: number): void {
  if (nonceOffset === noncePool.length) {
    randomFillSync(noncePool)
    nonceOffset = 0
  }
  noncePool.copy(into, offset, nonceOffset, nonceOffset + nonceBytes)
  nonceOffset += nonceBytes
}

/** A frame whose seal was verified. */
export interface OpenedFrame {
  readonly header: Buffer
  readonly payload: Buffer
}

/**
 * Seals frames with AES-256-GCM. The payload is encrypted. The header, the item's key, its place and the context of the
 * options are authenticated with it, so that a sealed value cannot be moved elsewhere, or given another lifetime.
 */
export class Encryption {
  /** The bytes of a seal. */
  readonly overhead: number = sealBytes
  /** How many milliseconds after its `expiresAt` an item is still served. */
  readonly clockTolerance: number
  readonly #current: Key
  readonly #keys = new Map<number, Key>()
  /** The place and the context, each with its length in front. */
  readonly #origin: Buffer

  /** `place` is where the backend stores the items. A frame that was sealed for another place does not open. */
  constructor(options: EncryptionOptions, place: string) {
    // Text may be the key itself, which no message may repeat.
    checkOptions(withoutText(options), ['keys', 'context', 'clockTolerance'], 'encryption')
    const { keys, context = '', clockTolerance = defaultClockTolerance } = options
    if (!isList(keys) || keys.length === 0) {
      const allowed = `an array of keys of ${keyBytes} bytes, the current one first`
      throw invalidArgument('keys', withoutText(keys), allowed, 'encryption')
    }
    if (typeof context !== 'string') throw invalidArgument('context', context, 'a string', 'encryption')
    this.clockTolerance = milliseconds(clockTolerance, 'clockTolerance', 'encryption')
    const all = keys.map(resolveKey)
    // In reverse, so that the current key replaces others with the same id.
    for (const key of all.toReversed()) this.#keys.set(key.id, key)
    this.#current = all[0] as Key
    this.#origin = Buffer.concat([withLength(place), withLength(context)])
  }

  /** The frame of a header and a payload. */
  seal(key: string, header: Uint8Array, payload: Uint8Array): Buffer {
    const start = header.length
    const end = start + payload.length
    const frame = Buffer.allocUnsafe(end + sealBytes)
    frame.set(header)
    const idAt = frame.writeUInt32BE(start, end)
    const nonceAt = frame.writeUInt32BE(this.#current.id, idAt)
    const tagAt = nonceAt + nonceBytes
    drawNonce(frame, nonceAt)
    const nonce = frame.subarray(nonceAt, tagAt)
    const cipher = createCipheriv(algorithm, this.#current.secret, nonce, { authTagLength: tagBytes })
    cipher.setAAD(this.#authenticated(key, header))
    cipher.update(payload).copy(frame, start)
    cipher.final()
    cipher.getAuthTag().copy(frame, tagAt)
    return frame
  }

  /**
   * The header and the payload of a frame. Throws if any bit of them, of the item's key, of the place or of the context
   * differs, or if the key of the seal is not in `keys`. Before that, only the seal is interpreted.
   */
  open(key: string, frame: Buffer): OpenedFrame {
    const end = frame.length - sealBytes
    if (end < 0) throw new RangeError('the sealed frame is truncated')
    const start = frame.readUInt32BE(end)
    if (start > end) throw new RangeError('the sealed frame is shorter than its header')
    const idAt = end + lengthBytes
    const secret = this.#keys.get(frame.readUInt32BE(idAt))?.secret
    if (secret === undefined) throw new Error('the encryption keys do not contain the key that sealed it')
    const nonceAt = idAt + idBytes
    const tagAt = nonceAt + nonceBytes
    const decipher = createDecipheriv(algorithm, secret, frame.subarray(nonceAt, tagAt), { authTagLength: tagBytes })
    const header = frame.subarray(0, start)
    decipher.setAAD(this.#authenticated(key, header))
    decipher.setAuthTag(frame.subarray(tagAt))
    const payload = decipher.update(frame.subarray(start, end))
    // Throws if the tag is wrong. Until then neither header nor payload may be interpreted.
    decipher.final()
    return { header, payload }
  }

  /** Place, context, key and header. The lengths of the first three delimit them; UTF-16 distinguishes lone surrogates. */
  #authenticated(key: string, header: Uint8Array): Buffer {
    const origin = this.#origin
    const keyAt = origin.length + lengthBytes
    const headerAt = keyAt + key.length * 2
    const bytes = Buffer.allocUnsafe(headerAt + header.length)
    origin.copy(bytes)
    bytes.writeUInt32BE(key.length * 2, origin.length)
    bytes.write(key, keyAt, 'utf16le')
    bytes.set(header, headerAt)
    return bytes
  }
}

/** The length of a text in bytes, and the text in UTF-16. */
function withLength(text: string): Buffer {
  const bytes = Buffer.alloc(lengthBytes + text.length * 2)
  bytes.writeUInt32BE(text.length * 2)
  bytes.write(text, lengthBytes, 'utf16le')
  return bytes
}

/** The value for a message. Text in place of options or keys may be a key. */
function withoutText(given: unknown): unknown {
  return typeof given === 'string' ? '(not shown)' : given
}

function resolveKey(given: unknown, index: number): Key {
  if (!isUint8Array(given) || given.length !== keyBytes) {
    const length = isUint8Array(given) ? `${given.length} bytes` : withoutText(given)
    throw invalidArgument(`keys[${index}]`, length, `a Uint8Array of ${keyBytes} bytes`, 'encryption')
  }
  const id = createHash('sha256').update('cache key id').update(given).digest().readUInt32BE(0)
  return { id, secret: createSecretKey(given) }
}
