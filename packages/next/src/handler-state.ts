import type { CacheLike } from '@cache/core'
import { BuildStore } from './build-store.ts'
import { CacheStore } from './cache-store.ts'
import { FailureReports } from './failure-reports.ts'
import type { Durations } from './next-types.ts'
import type { Settings } from './options.ts'
import type { Store } from './store.ts'
import { type TaggedEntry, TagMarks } from './tag-marks.ts'
import type { TagState } from './tag-shard.ts'

/** What an entry is stored with. */
interface Unstored {
  readonly tags: readonly string[]
  readonly madeAt: number
  readonly size: number
  /** In milliseconds. The option `maxAge` bounds it. */
  readonly lifetime: number
}

/** What all handlers of a name share in a process. No method rejects: a failure of the store is a miss, and is reported. */
export class HandlerState {
  readonly settings: Settings
  readonly #store: Store
  readonly #marks: TagMarks
  readonly #failures: FailureReports
  /** Writes that are running, so that a read of the key waits for the entry rather than misses it. */
  readonly #pending = new Map<string, Promise<TaggedEntry | undefined>>()

  constructor(open: () => CacheLike<unknown>, settings: Settings) {
    this.settings = settings
    const isBuild = process.env.NEXT_PHASE === 'phase-production-build'
    this.#store = isBuild && settings.duringBuild === 'memory' ? new BuildStore() : new CacheStore(open)
    this.#failures = new FailureReports(settings.onError)
    this.#marks = new TagMarks(this.#store, settings, this.#failures)
  }

  now(): number {
    return Math.floor(this.settings.clock.now())
  }

  /** The entry and its state, or `undefined` where there is none that may be served. */
  async read<Entry extends TaggedEntry>(
    key: string,
    softTags: readonly string[],
  ): Promise<{ readonly entry: Entry; readonly state: Exclude<TagState, 'expired'> } | undefined> {
    try {
      await this.#marks.ready()
      const entry = ((await this.#pending.get(key)) ?? (await this.#store.get(key))) as Entry | undefined
      if (entry === undefined) return undefined
      const state = await this.#marks.stateOf(entry, softTags)
      return state === 'expired' ? undefined : { entry, state }
    } catch (error) {
      this.#failures.report(error, 'get')
      return undefined
    }
  }

  /** Stores what `make` resolves to, unless that is `undefined` or expired meanwhile. */
  async write<Entry extends Unstored>(key: string, make: () => Promise<Entry | undefined>): Promise<void> {
    const made = this.#entryOf(make)
    this.#pending.set(key, made)
    try {
      const entry = await made
      if (entry === undefined) return
      const { size, lifetime, ...stored } = entry
      await this.#store.set(key, stored, Math.min(lifetime, this.settings.maxAge), size)
    } catch (error) {
      this.#failures.report(error, 'set')
    } finally {
      // A later write of the key may have taken the place.
      if (this.#pending.get(key) === made) this.#pending.delete(key)
    }
  }

  /** Invalidates the tags in all processes. */
  async invalidate(tags: readonly string[], durations: Durations | undefined): Promise<void> {
    await this.#marks.invalidate(tags, durations)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#pending.values())
    await this.#marks.close()
    await this.#store.close()
  }

  /** A failure is reported by the write. A read that waits gets a miss. */
  async #entryOf<Entry extends Unstored>(
    make: () => Promise<Entry | undefined>,
  ): Promise<(Entry & TaggedEntry) | undefined> {
    try {
      const entry = await make()
      if (entry === undefined || !(entry.lifetime > 0)) return undefined
      await this.#marks.ready()
      const stamps = await this.#marks.stampsFor(entry.tags, entry.madeAt)
      return stamps === undefined ? undefined : { ...entry, stamps }
    } catch (error) {
      this.#failures.report(error, 'set')
      return undefined
    }
  }
}
