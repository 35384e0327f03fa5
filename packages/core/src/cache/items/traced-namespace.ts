import type { CacheTrace } from '../state/tracing.ts'
import { Namespace } from './namespace.ts'

/** A namespace for one traced call: it notes the hits and misses of this call in the message of the tracing channel. */
export class TracedNamespace extends Namespace {
  readonly #origin: Namespace
  readonly #trace: CacheTrace

  constructor(origin: Namespace, trace: CacheTrace) {
    super(origin.state, origin.segments, origin.tags, origin.writer)
    this.#origin = origin
    this.#trace = trace
  }

  override get isClosed(): boolean {
    return this.#origin.isClosed
  }

  override countHit(key: string, stale: boolean): void {
    this.#trace.hits = (this.#trace.hits ?? 0) + 1
    if (stale) this.#trace.stale = (this.#trace.stale ?? 0) + 1
    super.countHit(key, stale)
  }

  override countMiss(key: string): void {
    this.#trace.misses = (this.#trace.misses ?? 0) + 1
    super.countMiss(key)
  }
}
