import { BackoffTimer } from '@cache/core/backend'
import type { Durations } from './next-types.ts'
import type { Settings } from './options.ts'
import { emptyShard, invalidate, stateAt, type TagShard, type TagState, worst } from './tag-shard.ts'

interface Invalidation {
  readonly tags: readonly string[]
  readonly durations: Durations | undefined
}

/** Invalidations that the store did not take. This process follows them, and sends them until the store has them. */
export class UnsentMarks {
  readonly #settings: Settings
  readonly #send: (tags: readonly string[], durations: Durations | undefined) => Promise<void>
  readonly #retry: BackoffTimer
  /** Their effect on this process. */
  #shard: TagShard
  #waiting = new Map<string, Invalidation>()
  #sending: Promise<void> | undefined

  constructor(settings: Settings, send: (tags: readonly string[], durations: Durations | undefined) => Promise<void>) {
    this.#settings = settings
    this.#send = send
    this.#shard = emptyShard('unsent', 0)
    this.#retry = new BackoffTimer(settings.clock, 200, 30_000, () => void this.#sendAll())
  }

  add(tags: readonly string[], durations: Durations | undefined, now: number): void {
    this.#shard = invalidate(this.#shard, tags, durations, now, this.#settings.maxAge)
    this.#waiting.set(JSON.stringify([tags, durations]), { tags, durations })
    this.#retry.schedule()
  }

  stateOf(tags: readonly string[], madeAt: number, now: number): TagState {
    if (this.#shard.count === 0) return 'valid'
    return worst(tags.map((tag) => stateAt(this.#shard, tag, madeAt, now, this.#settings.clockTolerance)))
  }

  /** Sends once more. Resolves to the number of those that are lost. */
  async close(): Promise<number> {
    await this.#sendAll()
    this.#retry.reset()
    return this.#waiting.size
  }

  #sendAll(): Promise<void> {
    this.#sending ??= this.#sendEach().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  async #sendEach(): Promise<void> {
    for (const [id, invalidation] of this.#waiting) {
      try {
        await this.#send(invalidation.tags, invalidation.durations)
      } catch {
        this.#retry.schedule()
        return
      }
      // The same invalidation may have been added again meanwhile.
      if (this.#waiting.get(id) === invalidation) this.#waiting.delete(id)
    }
    if (this.#waiting.size > 0) {
      this.#retry.schedule()
      return
    }
    this.#retry.reset()
    this.#shard = emptyShard('unsent', 0)
  }
}
