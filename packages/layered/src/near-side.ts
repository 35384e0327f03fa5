import {
  BackoffTimer,
  type CacheBackend,
  type Clock,
  chain,
  type Item,
  isPromise,
  isRecordKey,
  type MaybePromise,
  type NearReader,
} from '@cache/core/backend'
import { type Fence, KeyFences } from './key-generations.ts'
import { NearLayer } from './near-layer.ts'
import { Doubts } from './suspect-keys.ts'

/** Doubtful keys that are remembered one by one; with more, all copies are dropped instead. */
const mostDoubts = 10_000
/** Of `@`, with which every record begins: one character says of most keys that they are none. */
const recordCode = 64

/**
 * The layers in front of the authority, and how far they may be trusted.
 *
 * - A copy is written only if nothing was heard of its key since the operation that brings it began (the key's fence).
 * - A copy is *doubtful* once somebody else is known to have changed its key: it stays, and is not served until the authority
 *   has confirmed its version (RACES R13).
 * - All copies are *bypassed* while announcements may be missed, and dropped before they are trusted again (RACES R14).
 */
export class NearSide implements NearReader {
  /** Near to far. */
  readonly layers: readonly NearLayer[]
  readonly fences: KeyFences = new KeyFences()
  readonly #nearest: NearLayer
  readonly #doubts = new Doubts()
  readonly #reader: NearReader | undefined
  /** Tag records: no layer holds copies of them. */
  readonly #records: NearReader
  /** What `get` asks: the nearest layer while it is trusted. */
  #front: NearReader | undefined
  #trusted = false
  /** Announcements arrive, or there is no bus that could bring them. */
  #connected: boolean
  /** Moves with every change of trust, so that a slow clearing does not restore what was lost meanwhile. */
  #generation = 0
  readonly #retry: BackoffTimer

  constructor(
    backends: readonly CacheBackend[],
    records: NearReader,
    nearTtl: number,
    clock: Clock,
    report: (error: unknown, key?: string) => void,
    hasBus: boolean,
  ) {
    this.layers = backends.map((backend) => new NearLayer(backend, nearTtl, clock, report))
    this.#nearest = this.layers[0] as NearLayer
    this.#reader = this.#nearest.reader
    this.#records = records
    this.#retry = new BackoffTimer(clock, 100, 10_000, () => this.restart())
    this.#connected = !hasBus
    // Without a bus nothing was missed that could have been heard: what a layer kept from an earlier run may be served.
    if (!hasBus) this.#trust()
  }

  get trusted(): boolean {
    return this.#trusted
  }

  doubtful(key: string): boolean {
    return this.#doubts.includes(key)
  }

  /**
   * The nearest copy at once, or `undefined`, which says nothing; throws what the nearest layer throws. The hot path: no promise,
   * no closure, no object, and little code, so that V8 puts all of it into the caller's.
   */
  get(key: string): Item | undefined {
    // What a layer holds under the key of a record, from an earlier use of its store, is no record of the authority's.
    if (key.charCodeAt(0) === recordCode && isRecordKey(key)) return this.#records.get(key)
    const front = this.#front
    if (front === undefined || (this.#doubts.any && this.#doubts.includes(key))) return undefined
    const nearest = this.#nearest
    const item = nearest.unwrap(front.get(key))
    if (item !== undefined) nearest.hits += 1
    return item
  }

  generation(): number | undefined {
    return this.#records.generation?.()
  }

  /** The authority holds `item` now, by the operation that began at the epoch `ticket`. Every near layer gets a copy, farthest first. */
  put(fence: Fence, ticket: number, item: Item): MaybePromise<void> {
    // Another write of this key ended, or was announced, while this one ran: which of the two the authority took last is not
    // known, so neither is copied.
    const alone = fence.epoch === ticket
    fence.epoch += 1
    const epoch = fence.epoch
    return this.#change(fence, item.key, () => {
      // The layers may have been busy with this key, and more may have been heard of it meanwhile.
      const copied = alone && fence.epoch === epoch && item.value !== undefined
      return this.#each((layer) => (copied ? layer.put(item) : layer.drop(item.key)))
    })
  }

  /** The authority's item of this key is gone or unknown: nothing near may say otherwise. */
  drop(fence: Fence, key: string): MaybePromise<void> {
    fence.epoch += 1
    return this.#change(fence, key, () => this.#each((layer) => layer.drop(key)))
  }

  /** Removes copies that the authority did not confirm, unless something newer came in between. */
  dropUnchanged(fence: Fence, epoch: number, key: string): MaybePromise<void> {
    return this.#step(fence, key, () => (fence.epoch === epoch ? this.#each((layer) => layer.drop(key)) : undefined))
  }

  /** Copies an item that was read at layer `from` into the nearer ones; `seen` are the versions they held when the read began. */
  promote(
    fence: Fence,
    epoch: number,
    item: Item,
    from: number,
    seen: readonly (string | undefined)[],
  ): MaybePromise<void> {
    return this.#step(fence, item.key, () =>
      // RACES R6: a delete, set, clear or announcement since the read began makes it bounce.
      fence.epoch === epoch
        ? this.#each((layer, index) => (index < from ? layer.offer(item, seen[index]) : true))
        : undefined,
    )
  }

  /** The authority was cleared. Copies are not served from here on, also while a layer takes its time to drop them. */
  clear(prefix: string): MaybePromise<void> {
    this.fences.bumpPrefix(prefix)
    const tails = this.fences.tails(prefix)
    const cleared =
      tails.length === 0
        ? this.#each((layer) => layer.clear(prefix))
        : Promise.all(tails).then(() => this.#each((layer) => layer.clear(prefix)))
    if (!isPromise(cleared)) {
      this.#doubts.deletePrefix(prefix)
      return cleared ? undefined : this.restart()
    }
    const end = this.#doubts.clearing(prefix)
    return cleared.then((ok) => {
      end()
      if (!ok) this.restart()
    })
  }

  /** Somebody else changed this key at the authority, which holds `version` now, where that was told. */
  doubt(key: string, version?: string): void {
    this.fences.bump(key)
    // A doubt that is there already may come from a later change than this message, which then must not take it back.
    if (!this.#trusted || this.#doubts.holds(key)) return
    const allSync = this.layers.every((layer) => layer.sync !== undefined)
    if (allSync && this.layers.every((layer) => agrees(layer.read(key) as Item | undefined, version))) return
    this.#addDoubt(key)
    // Without this every key that others write would be remembered here, whether a copy is held or not.
    if (!allSync) void this.#inspect(key, version)
  }

  /** Announcements may be missed from here on. */
  disconnected(): void {
    this.#connected = false
    this.#distrust()
  }

  /** Announcements arrive again: what was held before goes first (RACES R14). */
  connected(): void {
    this.#connected = true
    this.restart()
  }

  /** Drops every copy, and trusts the layers again once that is done. */
  restart(): void {
    this.#distrust()
    if (!this.#connected) return
    const generation = this.#generation
    const tails = this.fences.tails('')
    const cleared = tails.length === 0 ? this.#clearAll() : Promise.all(tails).then(() => this.#clearAll())
    void chain(cleared, (ok) => {
      if (generation !== this.#generation) return
      if (ok) this.#trust()
      else this.#retry.schedule()
    })
  }

  /** Serves nothing from here on. */
  close(): void {
    this.#connected = false
    this.#distrust()
    this.#retry.reset()
  }

  #clearAll(): MaybePromise<boolean> {
    return this.#each((layer) => layer.clear(''))
  }

  #distrust(): void {
    this.#generation += 1
    this.#trusted = false
    this.#front = undefined
    // Reads under way began before whatever was missed.
    this.fences.bumpPrefix('')
  }

  #trust(): void {
    this.#trusted = true
    this.#front = this.#reader
    this.#doubts.deleteAll()
    this.#retry.reset()
  }

  /** A near write that follows a change of the authority. */
  #change(fence: Fence, key: string, work: () => MaybePromise<boolean>): MaybePromise<void> {
    const done = this.#step(fence, key, work)
    if (!isPromise(done)) return
    // A layer that takes its time was readable with the old item meanwhile: whoever met it there may not promote it.
    return done.then(() => {
      fence.epoch += 1
    })
  }

  /** One near write of a key, after those that were begun before. A layer that failed leaves the key in doubt. */
  #step(fence: Fence, key: string, work: () => MaybePromise<boolean | undefined>): MaybePromise<void> {
    return this.fences.run(fence, () => {
      // Everything near is dropped before it is trusted again, so nothing need be written now.
      if (!this.#trusted) return
      const epoch = fence.epoch
      return chain(work(), (ok) => {
        if (ok === false) this.#addDoubt(key)
        else if (ok && fence.epoch === epoch) this.#doubts.delete(key)
      })
    })
  }

  /** Applies to every layer, farthest first, so that no nearer layer is refilled from a farther one that is old. */
  #each(action: (layer: NearLayer, index: number) => MaybePromise<boolean>): MaybePromise<boolean> {
    let all = true
    for (let index = this.layers.length - 1; index >= 0; index -= 1) {
      const done = action(this.layers[index] as NearLayer, index)
      if (isPromise(done)) return this.#rest(index, all, done, action)
      all &&= done
    }
    return all
  }

  async #rest(
    from: number,
    before: boolean,
    first: Promise<boolean>,
    action: (layer: NearLayer, index: number) => MaybePromise<boolean>,
  ): Promise<boolean> {
    let all = (await first) && before
    for (let index = from - 1; index >= 0; index -= 1) {
      const done = await action(this.layers[index] as NearLayer, index)
      all &&= done
    }
    return all
  }

  #addDoubt(key: string): void {
    if (this.#doubts.count >= mostDoubts && !this.#doubts.holds(key)) this.restart()
    else this.#doubts.add(key)
  }

  /** Takes the doubt back where no layer holds another version. */
  async #inspect(key: string, version: string | undefined): Promise<void> {
    const fence = this.fences.enter(key)
    const epoch = fence.epoch
    try {
      await this.fences.run(fence, async () => {
        for (const layer of this.layers) if (!agrees(await layer.read(key), version)) return
        if (fence.epoch === epoch) this.#doubts.delete(key)
      })
    } finally {
      this.fences.leave(key, fence)
    }
  }
}

/** Whether a copy may stay when the authority holds `version`: there is none, or it is of that very version. */
function agrees(held: Item | undefined, version: string | undefined): boolean {
  return held === undefined || (version !== undefined && held.version === version)
}
