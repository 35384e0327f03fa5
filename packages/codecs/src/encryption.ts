import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomFillSync,
} from 'node:crypto'
import { checkOptions, invalidArgument } from '@cache/core/backend'
import { asBuffer } from './as-buffer.ts'

export interface EncryptionOptions {
  /**
   * Keys of 32 bytes, the current one first. New items are sealed with the first; every key opens what it sealed. To rotate,
   * put a new key in front, and remove the old one when its items have expired.
   */
  readonly keys: readonly Uint8Array[]
}

interface Key {
  readonly secret: KeyObject
  readonly id: number
}

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const idBytes = 4
const nonceBytes = 12
const tagBytes = 16
const overhead = idBytes + nonceBytes + tagBytes

/** Random numbers drawn at once: a call for twelve bytes costs more than the sealing. */
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

/**
 * Seals payloads with AES-256-GCM: key id, nonce, tag, ciphertext. The item's key and header are authenticated with it, so
 * that a sealed value cannot be moved to another key or given another lifetime.
 */
export class Encryption {
  /** Bytes that sealing adds. */
  readonly overhead: number = overhead
  readonly #current: Key
  readonly #keys = new Map<number, Key>()

  constructor(options: EncryptionOptions) {
    checkOptions(options, ['keys'], 'encryption')
    const { keys } = options
    if (!Array.isArray(keys) || keys.length === 0) {
      throw invalidArgument('keys', keys, `an array of keys of ${keyBytes} bytes, the current one first`, 'encryption')
    }
    const all = keys.map(resolveKey)
    // Later ones first, so that of equal ids the current key stays.
    for (const key of all.toReversed()) this.#keys.set(key.id, key)
    this.#current = all[0] as Key
  }

  seal(key: string, header: Uint8Array, payload: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(overhead + payload.length)
    sealed.writeUInt32BE(this.#current.id, 0)
    drawNonce(sealed, idBytes)
    const nonce = sealed.subarray(idBytes, idBytes + nonceBytes)
    const cipher = createCipheriv(algorithm, this.#current.secret, nonce, { authTagLength: tagBytes })
    cipher.setAAD(authenticated(key, header))
    cipher.update(payload).copy(sealed, overhead)
    cipher.final()
    cipher.getAuthTag().copy(sealed, idBytes + nonceBytes)
    return sealed
  }

  /** The payload. Throws when any bit of it, of the header or of the key differs, or when its key is not among `keys`. */
  open(key: string, header: Uint8Array, sealed: Uint8Array): Buffer {
    if (sealed.length < overhead) throw new RangeError('the sealed payload ends too early')
    const bytes = asBuffer(sealed)
    const secret = this.#keys.get(bytes.readUInt32BE(0))?.secret
    if (secret === undefined) throw new Error('the key that sealed it is not among the keys')
    const nonce = bytes.subarray(idBytes, idBytes + nonceBytes)
    const decipher = createDecipheriv(algorithm, secret, nonce, { authTagLength: tagBytes })
    decipher.setAAD(authenticated(key, header))
    decipher.setAuthTag(bytes.subarray(idBytes + nonceBytes, overhead))
    const payload = decipher.update(bytes.subarray(overhead))
    // Throws when the tag does not fit. Nothing of the payload may be looked at before.
    decipher.final()
    return payload
  }
}

function resolveKey(given: unknown, index: number): Key {
  if (!(given instanceof Uint8Array) || given.length !== keyBytes) {
    const length = given instanceof Uint8Array ? `${given.length} bytes` : given
    throw invalidArgument(`keys[${index}]`, length, `a Uint8Array of ${keyBytes} bytes`, 'encryption')
  }
  const id = createHash('sha256').update('cache key id').update(given).digest().readUInt32BE(0)
  return { id, secret: createSecretKey(given) }
}

/** The length of the key in front keeps key and header apart; UTF-16 keeps lone surrogates apart. */
function authenticated(key: string, header: Uint8Array): Buffer {
  const text = Buffer.from(key, 'utf16le')
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(text.length, 0)
  return Buffer.concat([length, text, header])
}
