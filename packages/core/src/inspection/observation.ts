import type { Cache } from '../cache/cache.ts'
import type { Clock } from '../protocol/clock.ts'
import { HeavyHitters } from './heavy-hitters.ts'

/** Names that are told apart: hot keys, and namespaces with figures. */
const mostNames = 1000
/** Keys that are longer are not among the hot keys. */
const longestKey = 1000
/** Loads and tags that are remembered. */
const mostRemembered = 100

/** A key of the inspected cache, or of a namespace within it. */
interface Place {
  readonly namespace: readonly string[]
  readonly key: string
}

export interface HotKey extends Place {
  /** Reads since the observation began; too low by at most a thousandth of all reads. */
  readonly reads: number
}

export interface SlowLoad extends Place {
  readonly ms: number
}

export interface InvalidatedTag {
  readonly namespace: readonly string[]
  readonly tag: string
  /** `expired`: by `expireByTag`. */
  readonly kind: 'deleted' | 'expired'
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What was counted in a namespace since the observation began. */
export interface NamespaceFigures {
  readonly namespace: readonly string[]
  readonly hits: number
  readonly misses: number
  readonly loads: number
  readonly loadFailures: number
  /** Milliseconds of all loads. */
  readonly loadTime: number
}

interface Counts {
  readonly namespace: readonly string[]
  hits: number
  misses: number
  loads: number
  loadFailures: number
  loadTime: number
}

/** Listens to the events of a cache from its creation until `stop`. Without one, a hit pays nothing. */
export class Observation {
  readonly #depth: number
  readonly #clock: Clock
  readonly #keys = new HeavyHitters(mostNames)
  readonly #namespaces = new Map<string, Counts>()
  #slow: SlowLoad[] = []
  #tags: InvalidatedTag[] = []
  readonly #stops: (() => void)[]

  /** `segments` are those of the cache: events of other namespaces are left out. */
  constructor(cache: Cache, segments: readonly string[], clock: Clock) {
    this.#depth = segments.length
    this.#clock = clock
    const within = (namespace: readonly string[]): boolean => segments.every((one, index) => one === namespace[index])
    this.#stops = [
      cache.on('hit', ({ namespace, key }) => {
        if (within(namespace)) this.#read(namespace, key, 'hits')
      }),
      cache.on('miss', ({ namespace, key }) => {
        if (within(namespace)) this.#read(namespace, key, 'misses')
      }),
      cache.on('load', ({ namespace, key, ms }) => {
        if (within(namespace)) this.#loaded(namespace, key, ms)
      }),
      cache.on('loadFailed', ({ namespace }) => {
        if (within(namespace)) this.#of(namespace).loadFailures += 1
      }),
      cache.on('invalidate', ({ namespace, tag }) => {
        if (within(namespace)) this.#invalidated(namespace, tag, 'deleted')
      }),
      cache.on('expireTag', ({ namespace, tag }) => {
        if (within(namespace)) this.#invalidated(namespace, tag, 'expired')
      }),
    ]
  }

  /** The keys that are read most, the first first. */
  hottest(most = 20): HotKey[] {
    return this.#keys.top(most).map(({ key, count }) => {
      const [namespace, name] = JSON.parse(key) as [string[], string]
      return { namespace, key: name, reads: count }
    })
  }

  /** The loads that took longest, the longest first; at most a hundred. */
  slowest(most = 20): SlowLoad[] {
    return this.#slow.slice(0, most)
  }

  /** The tags that this process invalidated last, the latest first; at most a hundred. */
  invalidatedTags(): InvalidatedTag[] {
    return [...this.#tags].reverse()
  }

  /** Figures for each namespace. The thousandth one stands for all further ones, with the namespace `['…']`. */
  namespaces(): NamespaceFigures[] {
    return [...this.#namespaces.values()].map((counts) => ({ ...counts }))
  }

  /** Ends the observation. What it has counted stays. */
  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  #read(namespace: readonly string[], key: string, member: 'hits' | 'misses'): void {
    this.#of(namespace)[member] += 1
    if (key.length <= longestKey) this.#keys.count(JSON.stringify([namespace.slice(this.#depth), key]))
  }

  #loaded(namespace: readonly string[], key: string, ms: number): void {
    const counts = this.#of(namespace)
    counts.loads += 1
    counts.loadTime += ms
    const shortest = this.#slow.at(-1)
    if (this.#slow.length === mostRemembered && shortest !== undefined && shortest.ms >= ms) return
    this.#slow.push({ namespace: namespace.slice(this.#depth), key: key.slice(0, longestKey), ms })
    this.#slow.sort((one, other) => other.ms - one.ms)
    this.#slow = this.#slow.slice(0, mostRemembered)
  }

  #invalidated(namespace: readonly string[], tag: string, kind: InvalidatedTag['kind']): void {
    this.#tags.push({ namespace: namespace.slice(this.#depth), tag, kind, at: this.#clock.now() })
    if (this.#tags.length > mostRemembered) this.#tags.shift()
  }

  #of(segments: readonly string[]): Counts {
    const own = segments.slice(this.#depth)
    const namespace = this.#namespaces.size >= mostNames - 1 && !this.#namespaces.has(JSON.stringify(own)) ? ['…'] : own
    const id = JSON.stringify(namespace)
    let counts = this.#namespaces.get(id)
    if (counts === undefined) {
      counts = { namespace, hits: 0, misses: 0, loads: 0, loadFailures: 0, loadTime: 0 }
      this.#namespaces.set(id, counts)
    }
    return counts
  }
}
