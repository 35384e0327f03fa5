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
import { type KeyGeneration, KeyGenerations } from './key-generations.ts'
import { NearLayer } from './near-layer.ts'
import type { Outage } from './outage.ts'
import { SuspectKeys } from './suspect-keys.ts'

/** Suspect keys that are remembered. With more, all copies are dropped instead. */
const mostSuspects = 10_000
/** `@`, the first character of every record key. One comparison excludes most other keys. */
const recordCode = 64

/**
 * The layers in front of the authority, and whether their copies may be served.
 *
 * - A copy is written only if its key was not invalidated since the operation with the item began (`KeyGeneration`).
 * - A key is *suspect* after another process changed it. Its copy stays, but is not served until the authority has
 *   confirmed its version (RACES R13).
 * - All layers are *bypassed* while announcements may be missed, and cleared before they are used again (RACES R14).
 *   Their copies stay until then, and may answer during an outage of the authority. No layer is written meanwhile: a key
 *   that changes becomes suspect.
 */
export class NearSide implements Required<NearReader> {
  /** Nearest first. */
  readonly layers: readonly NearLayer[]
  readonly generations: KeyGenerations = new KeyGenerations()
  readonly #nearest: NearLayer
  readonly #suspects = new SuspectKeys()
  readonly #reader: NearReader | undefined
  /** The reader of tag records, which no layer has copies of. */
  readonly #tagRecords: NearReader
  readonly #outage: Outage
  /** The reader of the nearest layer, or `undefined` while the layers are bypassed. */
  #trustedReader: NearReader | undefined
  #trusted = false
  /** Whether announcements arrive. Always `true` without a bus. */
  #connected: boolean
  /** Changes with every change of trust: a slow clear must not restore trust that was lost while it ran. */
  #trustGeneration = 0
  readonly #retry: BackoffTimer

  constructor(
    backends: readonly CacheBackend[],
    tagRecords: NearReader,
    outage: Outage,
    nearTtl: number,
    clock: Clock,
    report: (error: unknown, key?: string) => void,
    hasBus: boolean,
  ) {
    this.layers = backends.map((backend) => new NearLayer(backend, nearTtl, clock, report))
    this.#nearest = this.layers[0] as NearLayer
    this.#reader = this.#nearest.reader
    this.#tagRecords = tagRecords
    this.#outage = outage
    this.#retry = new BackoffTimer(clock, 100, 10_000, () => this.restart())
    this.#connected = !hasBus
    // Without a bus no announcement was missed, so copies that a layer kept from an earlier run may be served.
    if (!hasBus) this.#trust()
  }

  get trusted(): boolean {
    return this.#trusted
  }

  isSuspect(key: string): boolean {
    return this.#suspects.includes(key)
  }

  /**
   * Returns the nearest copy, or `undefined`, which does not mean that the key is empty. Throws the errors of the
   * nearest layer. Every near hit runs this: it has no promise, closure or object, and is short, so that V8 inlines it.
   */
  get(key: string): Item | undefined {
    // A layer may have an item under a record key from an earlier use of its store. It is not the authority's record.
    if (key.charCodeAt(0) === recordCode && isRecordKey(key)) return this.#tagRecords.get(key)
    const reader = this.#trustedReader
    if (reader === undefined || (this.#suspects.any && this.#suspects.includes(key))) return undefined
    const nearest = this.#nearest
    const item = nearest.unwrap(reader.get(key))
    if (item !== undefined) nearest.hits += 1
    return item
  }

  generation(): number | undefined {
    return this.#tagRecords.generation?.()
  }

  /** The nearest copy that may answer during an outage, while the layers are bypassed. */
  async copyInOutage(key: string): Promise<Item | undefined> {
    for (const layer of this.layers) {
      if (this.#suspects.includes(key)) return undefined
      const item = await layer.read(key)
      // An asynchronous layer takes time, in which the key may have changed.
      if (item === undefined || this.#suspects.includes(key) || !this.#outage.hasCopies) continue
      layer.hits += 1
      return item
    }
    return undefined
  }

  /**
   * The authority has answered with this version while the layers are bypassed. A copy of another version may not answer
   * during an outage.
   */
  compare(key: string, version: string | undefined): void {
    if (!this.#outage.hasCopies || this.#suspects.has(key)) return
    for (const layer of this.layers) {
      if (layer.sync !== undefined && layer.hasNoOther(key, version) === true) continue
      this.#addSuspect(key)
      return
    }
  }

  /**
   * Copies an item that the authority has stored into every near layer, farthest first. `captured` is the count of the
   * generation when the write began.
   */
  put(generation: KeyGeneration, captured: number, item: Item): MaybePromise<void> {
    // If another write of this key ended or was announced meanwhile, the order at the authority is unknown. Then no
    // item is copied.
    const isOnlyWrite = generation.count === captured
    generation.count += 1
    const { count } = generation
    return this.#change(generation, item.key, () => {
      // An earlier write may have delayed this one, and an announcement may have arrived in the meantime.
      const copies = isOnlyWrite && generation.count === count && item.value !== undefined
      return this.#eachLayer((layer) => (copies ? layer.put(item) : layer.drop(item.key)))
    })
  }

  /** Drops the copies of a key whose item at the authority is gone or unknown. */
  drop(generation: KeyGeneration, key: string): MaybePromise<void> {
    generation.count += 1
    return this.#change(generation, key, () => this.#eachLayer((layer) => layer.drop(key)))
  }

  /** Drops copies that the authority did not confirm, unless the key was invalidated since `captured`. */
  dropUnchanged(generation: KeyGeneration, captured: number, key: string): MaybePromise<void> {
    return this.#write(generation, key, () =>
      generation.count === captured ? this.#eachLayer((layer) => layer.drop(key)) : undefined,
    )
  }

  /**
   * Copies an item of layer `from` into the nearer layers. `seen` are the versions that they had when the read began.
   */
  promote(
    generation: KeyGeneration,
    captured: number,
    item: Item,
    from: number,
    seen: readonly (string | undefined)[],
  ): MaybePromise<void> {
    return this.#write(generation, item.key, () =>
      // RACES R6: a delete, set, clear or announcement since the read began prevents the copy.
      generation.count === captured
        ? this.#eachLayer((layer, index) => (index < from ? layer.offer(item, seen[index]) : true))
        : undefined,
    )
  }

  /**
   * Drops all copies under the prefix. None of them is served from now on, even while an asynchronous layer still has
   * them.
   */
  clear(prefix: string): MaybePromise<void> {
    this.generations.invalidatePrefix(prefix)
    const cleared = this.#clearLayers(prefix)
    if (!isPromise(cleared)) {
      this.#suspects.deletePrefix(prefix)
      return cleared ? undefined : this.restart()
    }
    const end = this.#suspects.beginClear(prefix)
    return cleared.then((ok) => {
      end()
      if (!ok) this.restart()
    })
  }

  /**
   * Another process changed the key at the authority. `version` is its new version, or `undefined` if that is unknown.
   */
  suspect(key: string, version?: string): void {
    this.generations.invalidate(key)
    // A suspicion may come from a later change than this message, so the message must not clear it.
    if (this.#suspects.has(key)) return
    if (!this.#trusted) {
      this.#changedWhileBypassed(key)
      return
    }
    const allSync = this.layers.every((layer) => layer.sync !== undefined)
    if (allSync && this.layers.every((layer) => layer.hasNoOther(key, version) === true)) return
    this.#addSuspect(key)
    // Otherwise every key that other processes write would stay in memory here, even without a copy.
    if (!allSync) void this.#inspect(key, version)
  }

  /** Bypasses the layers, because announcements may be missed from now on. */
  disconnected(): void {
    this.#connected = false
    this.#distrust()
  }

  /** Clears the layers and uses them again, because announcements arrive again (RACES R14). */
  connected(): void {
    this.#connected = true
    this.restart()
  }

  /** Drops every copy, and uses the layers again once that has succeeded. */
  restart(): void {
    this.#distrust()
    this.#outage.dropCopies()
    if (!this.#connected) return
    const trustGeneration = this.#trustGeneration
    void chain(this.#clearLayers(''), (ok) => {
      if (trustGeneration !== this.#trustGeneration) return
      if (ok) this.#trust()
      else this.#retry.schedule()
    })
  }

  /** Bypasses the layers for ever. */
  close(): void {
    this.#connected = false
    this.#distrust()
    this.#retry.reset()
  }

  /** Clears every layer after the pending writes of these keys. */
  #clearLayers(prefix: string): MaybePromise<boolean> {
    const clear = (): MaybePromise<boolean> => this.#eachLayer((layer) => layer.clear(prefix))
    const pending = this.generations.pendingWrites(prefix)
    return pending.length === 0 ? clear() : Promise.all(pending).then(clear)
  }

  #distrust(): void {
    this.#trustGeneration += 1
    this.#trusted = false
    this.#trustedReader = undefined
    // Reads under way may have begun before a missed announcement.
    this.generations.invalidatePrefix('')
  }

  #trust(): void {
    this.#trusted = true
    this.#trustedReader = this.#reader
    this.#suspects.deleteAll()
    this.#retry.reset()
  }

  /** A near write after a change of the authority. */
  #change(generation: KeyGeneration, key: string, write: () => MaybePromise<boolean>): MaybePromise<void> {
    const done = this.#write(generation, key, write)
    if (!isPromise(done)) return
    // While an asynchronous layer was busy, a read could still find the old item there. It must not promote that item.
    return done.then(() => {
      generation.count += 1
    })
  }

  /** A near write, after earlier ones of the key. A layer that fails makes the key suspect. */
  #write(generation: KeyGeneration, key: string, write: () => MaybePromise<boolean | undefined>): MaybePromise<void> {
    return this.generations.write(generation, () => {
      // The layers are cleared before they are used again, so a write is not needed now.
      if (!this.#trusted) return this.#changedWhileBypassed(key)
      const { count } = generation
      return chain(write(), (ok) => {
        if (ok === false) this.#addSuspect(key)
        else if (ok && generation.count === count) this.#suspects.delete(key)
      })
    })
  }

  /**
   * Applies the action to every layer, farthest first: a farther layer with an old item must not refill a nearer one.
   */
  #eachLayer(action: (layer: NearLayer, index: number) => MaybePromise<boolean>): MaybePromise<boolean> {
    let all = true
    for (let index = this.layers.length - 1; index >= 0; index -= 1) {
      const done = action(this.layers[index] as NearLayer, index)
      if (isPromise(done)) return this.#remainingLayers(index, all, done, action)
      all &&= done
    }
    return all
  }

  async #remainingLayers(
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

  /** The copies of the key may not answer during an outage any more. */
  #changedWhileBypassed(key: string): void {
    if (this.#outage.hasCopies) this.#addSuspect(key)
  }

  #addSuspect(key: string): void {
    if (this.#suspects.count >= mostSuspects && !this.#suspects.has(key)) this.restart()
    else this.#suspects.add(key)
  }

  /** Clears the suspicion if no layer has another version. */
  async #inspect(key: string, version: string | undefined): Promise<void> {
    const generation = this.generations.enter(key)
    const { count } = generation
    try {
      await this.generations.write(generation, async () => {
        for (const layer of this.layers) if (!(await layer.hasNoOther(key, version))) return
        if (generation.count === count) this.#suspects.delete(key)
      })
    } finally {
      this.generations.leave(key, generation)
    }
  }
}
