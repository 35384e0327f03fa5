import type { BackendStats } from '../../protocol/backend.ts'
import type { Stats } from '../../protocol/stats.ts'

const sampleEvery = 64

/** The counters of one cache and its namespaces; `Stats` says when each moves. */
export class Recorder {
  hits = 0
  misses = 0
  sets = 0
  deletes = 0
  loads = 0
  loadFailures = 0
  errors = 0
  loadTime = 0
  timedGets = 0
  getTime = 0

  get meanLoadTime(): number {
    return this.loads === 0 ? 0 : this.loadTime / this.loads
  }

  /** Hits and misses from which on the next `get` is timed. */
  #sampleAt = 0

  /** Whether the next `get` is timed: one in 64 is, because reading the clock costs more than a hit in memory. */
  get samples(): boolean {
    return this.hits + this.misses >= this.#sampleAt
  }

  /** Times one of the `get`s that are timed. */
  gotSince(started: number): void {
    this.timedGets += 1
    this.#sampleAt = this.hits + this.misses + sampleEvery
    this.getTime += performance.now() - started
  }

  snapshot(backend: BackendStats): Stats {
    const asked = this.hits + this.misses
    return {
      hits: this.hits,
      misses: this.misses,
      sets: this.sets,
      deletes: this.deletes,
      loads: this.loads,
      loadFailures: this.loadFailures,
      errors: this.errors,
      evictions: backend.evictions ?? 0,
      expired: backend.expired ?? 0,
      items: backend.items ?? 0,
      size: backend.size ?? 0,
      hitRate: asked === 0 ? 0 : this.hits / asked,
      averageLoadTime: this.meanLoadTime,
      averageGetTime: this.timedGets === 0 ? 0 : this.getTime / this.timedGets,
    }
  }
}
