import { Writable } from 'node:stream'
import { type CacheLike, hashLongKeys } from '@cache/core'
import { checkOptions, wholeNumber, withMethods } from '@cache/core/backend'

/** The key of undici: a request. */
export interface UndiciKey {
  readonly origin: string
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined
}

/** A response of undici without its body. Instants are milliseconds since 1970. */
export interface UndiciValue {
  statusCode: number
  statusMessage: string
  headers: Record<string, string | string[]>
  vary?: Record<string, string | string[] | null>
  etag?: string
  cacheControlDirectives?: object
  cachedAt: number
  staleAt: number
  deleteAt: number
}

/** A stored response. */
export interface UndiciResult extends UndiciValue {
  cacheControlDirectives: object
  body: Buffer[]
}

export interface UndiciStoreOptions {
  /** Where responses are kept. */
  readonly cache: CacheLike<unknown>
  /** Larger bodies are not stored. Default 8 MiB. */
  readonly maxBodyBytes?: number | undefined
}

/** A variant of a resource, in the list under the key of the resource. */
interface Variant {
  readonly id: string
  readonly vary: Readonly<Record<string, string | string[] | null>>
  readonly deleteAt: number
}

interface OpenWrite {
  isVoid: boolean
}

interface Stored {
  readonly value: UndiciValue
  readonly body: Uint8Array
}

/** The methods that undici stores responses of. */
const safeMethods = ['GET', 'HEAD', 'OPTIONS', 'TRACE']

/** A resource keeps its newest variants. */
const mostVariants = 64

/** A store for `interceptors.cache` of undici 7 and 8, on any `Cache`. */
export class UndiciStore {
  readonly #cache: CacheLike<unknown>
  readonly #maxBodyBytes: number
  readonly #shorten: (key: string) => string = hashLongKeys(200)
  /** Writes that have ended and are not stored yet. A read after `end` must see them. */
  readonly #writing = new Map<string, Set<Promise<void>>>()
  /** Streams that have not ended. A resource that is removed meanwhile must stay removed. */
  readonly #open = new Map<string, Set<OpenWrite>>()

  constructor(options: UndiciStoreOptions) {
    checkOptions(options, ['cache', 'maxBodyBytes'], 'UndiciStore')
    const methods = ['get', 'set', 'update', 'delete']
    this.#cache = withMethods(options.cache, methods, 'cache', 'an asynchronous Cache', 'UndiciStore')
    this.#maxBodyBytes = wholeNumber(options.maxBodyBytes ?? 8 * 1024 * 1024, 'maxBodyBytes', 'UndiciStore', 1)
  }

  /** Resolves to the newest response whose `Vary` fields have the values of the request, or to `undefined`. */
  async get(key: UndiciKey): Promise<UndiciResult | undefined> {
    const primary = this.#primary(key)
    await this.#written(primary)
    const variants = (await this.#cache.get<Variant[]>(primary)) ?? []
    const variant = variants.findLast(({ vary }) => selects(vary, key))
    if (variant === undefined) return undefined
    const stored = await this.#cache.get<Stored>(this.#variantKey(primary, variant.id))
    if (stored === undefined) return undefined
    // undici iterates over the parts of a body.
    return { cacheControlDirectives: {}, ...stored.value, body: [Buffer.from(stored.body)] }
  }

  /** A stream for the body. The response is stored when it ends, and not when it is destroyed. */
  createWriteStream(key: UndiciKey, value: UndiciValue): Writable {
    const primary = this.#primary(key)
    const chunks: Uint8Array[] = []
    const write: OpenWrite = { isVoid: false }
    const open = this.#open.get(primary) ?? new Set()
    this.#open.set(primary, open.add(write))
    let size = 0
    return new Writable({
      write: (chunk: Uint8Array | string, encoding, callback) => {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
        size += bytes.byteLength
        // The stream goes on: its end is that of the response of the client.
        if (size > this.#maxBodyBytes) chunks.length = 0
        else chunks.push(bytes)
        callback()
      },
      final: (callback) => {
        const isKept = size <= this.#maxBodyBytes && !write.isVoid
        const work = isKept ? this.#store(primary, value, Buffer.concat(chunks)) : Promise.resolve()
        this.#remember(primary, work)
        // A failing store must not fail the request. The cache reports it as an `error` event.
        work.then(
          () => callback(),
          () => callback(),
        )
      },
      destroy: (error, callback) => {
        open.delete(write)
        if (open.size === 0 && this.#open.get(primary) === open) this.#open.delete(primary)
        callback(error)
      },
    })
  }

  /** Removes every variant of the resource, for every method. Responses that are on their way are not stored. */
  async delete(key: UndiciKey): Promise<void> {
    for (const method of safeMethods) {
      const primary = this.#primary({ ...key, method })
      for (const write of this.#open.get(primary) ?? []) write.isVoid = true
      await this.#written(primary)
      await this.#cache.delete(primary)
    }
  }

  async #written(primary: string): Promise<void> {
    await Promise.allSettled(this.#writing.get(primary) ?? [])
  }

  async #store(primary: string, value: UndiciValue, body: Uint8Array): Promise<void> {
    const id = crypto.randomUUID()
    const life = { expiresAt: value.deleteAt, staleFor: 0 }
    await this.#cache.set(
      this.#variantKey(primary, id),
      { value: plainValue(value), body: Uint8Array.from(body) },
      life,
    )
    const variant: Variant = { id, vary: { ...value.vary }, deleteAt: value.deleteAt }
    const current = (await this.#cache.get<Variant[]>(primary)) ?? []
    const last = Math.max(value.deleteAt, ...current.map(({ deleteAt }) => deleteAt))
    await this.#cache.update<Variant[]>(primary, (variants = []) => withVariant(variants, variant), {
      expiresAt: last,
      staleFor: 0,
    })
  }

  #remember(primary: string, work: Promise<void>): void {
    const running = this.#writing.get(primary) ?? new Set()
    this.#writing.set(primary, running.add(work))
    const forget = (): void => {
      running.delete(work)
      if (running.size === 0) this.#writing.delete(primary)
    }
    work.then(forget, forget)
  }

  #primary({ origin, method, path }: UndiciKey): string {
    return this.#shorten(`${method} ${origin}${path}`)
  }

  #variantKey(primary: string, id: string): string {
    return this.#shorten(`${primary}\n${id}`)
  }
}

/** undici keeps a hidden member in the directives, and its objects may have no prototype. A codec would refuse both. */
function plainValue({ cacheControlDirectives = {}, headers, ...rest }: UndiciValue): UndiciValue {
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const vary = rest.vary === undefined ? {} : { vary: { ...rest.vary } }
  const directives = Object.fromEntries(Object.entries(cacheControlDirectives))
  return { ...(known as typeof rest), ...vary, headers: { ...headers }, cacheControlDirectives: directives }
}

function withVariant(variants: readonly Variant[], variant: Variant): Variant[] {
  const text = varyText(variant)
  return [...variants.filter((each) => varyText(each) !== text), variant].slice(-mostVariants)
}

function varyText({ vary }: Variant): string {
  return JSON.stringify(Object.entries(vary).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function selects(vary: Variant['vary'], { headers = {} }: UndiciKey): boolean {
  return Object.entries(vary).every(([name, value]) => {
    const given = headers[name] ?? null
    return JSON.stringify(given) === JSON.stringify(value)
  })
}
