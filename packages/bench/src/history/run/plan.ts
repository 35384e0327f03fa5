import { type Family, keysOf, tagNames } from '../record/areas.ts'
import type { Request } from '../record/call.ts'

/** One planned call. */
export interface PlannedCall {
  readonly family: Family
  readonly request: Request
  /** Milliseconds before the call. */
  readonly pause: number
  /** Milliseconds that a loader or the work under a lock takes. */
  readonly work: number
  /** Whether a load holds the lease of its key (`lock: true`). */
  readonly lease: boolean
}

type Weighted<T> = readonly (readonly [T, number])[]

const familyWeights: Weighted<Family> = [
  ['plain', 34],
  ['tagged', 18],
  ['short', 12],
  ['count', 14],
  ['load', 18],
  ['lock', 2],
  ['limit', 2],
]

type Method = Request['do']

const registerWeights: Weighted<Method> = [
  ['get', 30],
  ['getMany', 8],
  ['has', 4],
  ['set', 16],
  ['setMany', 4],
  ['delete', 7],
  ['deleteMany', 2],
  ['compareAndSet', 9],
  ['add', 6],
  ['replace', 4],
  ['update', 5],
  ['take', 4],
  ['clear', 1],
]

const methodWeights: Readonly<Record<Family, Weighted<Method>>> = {
  plain: [...registerWeights, ['deleteByPrefix', 1]],
  tagged: [...registerWeights, ['deleteByTag', 6]],
  short: [
    ['get', 40],
    ['set', 20],
    ['add', 12],
    ['delete', 4],
    ['take', 3],
  ],
  count: [
    ['increment', 70],
    ['getNumber', 20],
    ['setNumber', 5],
    ['delete', 5],
  ],
  load: [
    ['getOrSet', 60],
    ['get', 10],
    ['set', 6],
    ['delete', 12],
    ['deleteByTag', 8],
    ['clear', 2],
    ['deleteByPrefix', 2],
  ],
  lock: [['withLock', 1]],
  limit: [['rateLimit', 1]],
}

/** An endless sequence of calls that the random numbers alone decide: results have no influence on it. */
export class Plan {
  readonly #random: () => number
  readonly #families: Weighted<Family>
  readonly #client: string
  #values = 0

  /** `client` is the start of the ids of its values. */
  constructor(client: string, families: readonly Family[], random: () => number) {
    this.#client = client
    this.#random = random
    this.#families = familyWeights.filter(([family]) => families.includes(family))
  }

  next(): PlannedCall {
    const family = this.#weighted(this.#families)
    const method = this.#weighted(methodWeights[family])
    const request = this.#request(method, keysOf[family], family)
    const pause = Math.floor(this.#random() * this.#random() * 14)
    const isLong = this.#random() < 0.05
    const work = Math.floor(this.#random() * (isLong ? 700 : 25))
    return { family, request, pause, work, lease: this.#random() < 0.3 }
  }

  #request(method: Method, keys: readonly string[], family: Family): Request {
    const key = this.#oneOf(keys)
    switch (method) {
      case 'set':
      case 'add':
      case 'replace':
      case 'update':
        return family === 'short'
          ? { do: method, key, value: this.#value(), ttl: 100 + Math.floor(this.#random() * 400) }
          : { do: method, key, value: this.#value() }
      case 'compareAndSet':
        // The version is known only when the call is made.
        return { do: method, key, expected: null, value: this.#value() }
      case 'getMany':
      case 'deleteMany':
        return { do: method, keys: this.#someOf(keys) }
      case 'setMany': {
        const some = this.#someOf(keys)
        return { do: method, keys: some, values: some.map(() => this.#value()) }
      }
      case 'clear':
        return { do: method }
      case 'deleteByPrefix':
        return { do: method, prefix: key.slice(0, 1) }
      case 'deleteByTag':
        return { do: method, tag: this.#oneOf(tagNames) }
      case 'increment':
        return { do: method, key, delta: this.#delta(key) }
      case 'setNumber':
        return key.startsWith('mixed')
          ? { do: method, key, number: Math.floor(this.#random() * 1000) }
          : { do: 'increment', key, delta: this.#delta(key) }
      case 'delete':
        return family === 'count' && key.startsWith('sum') ? { do: 'getNumber', key } : { do: method, key }
      case 'getOrSet':
        return { do: method, key, value: this.#value() }
      default:
        return { do: method, key }
    }
  }

  #value(): string {
    this.#values += 1
    return `${this.#client}-${this.#values}`
  }

  #delta(key: string): number {
    const size = 1 + Math.floor(this.#random() * 5)
    return key.startsWith('mixed') && this.#random() < 0.3 ? -size : size
  }

  #oneOf<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)] as T
  }

  #someOf(keys: readonly string[]): string[] {
    const some = keys.filter(() => this.#random() < 0.5)
    return some.length > 0 ? some : [this.#oneOf(keys)]
  }

  #weighted<T>(all: Weighted<T>): T {
    let left = this.#random() * all.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [one, weight] of all) {
      left -= weight
      if (left < 0) return one
    }
    return (all.at(-1) as readonly [T, number])[0]
  }
}
