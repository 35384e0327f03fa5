import { type Item, isPromise, isRecordKey } from '@cache/core/backend'
import type { Authority } from './authority.ts'
import type { KeyGeneration } from './key-generations.ts'
import type { NearLayer } from './near-layer.ts'
import type { NearSide } from './near-side.ts'
import type { Outage } from './outage.ts'
import type { RecoveryQueue } from './recovery-queue.ts'
import type { TagWindow } from './tag-window.ts'

/** A look-up of one key, from the nearest layer to the authority. */
interface Search {
  readonly key: string
  readonly generation: KeyGeneration
  /** The count of the generation when the search began. */
  readonly captured: number
  /** The versions that the near layers had, by their index. */
  readonly seen: (string | undefined)[]
  /** Whether the near copies are old or suspect, so that only the authority's answer counts. */
  needsAuthority: boolean
  found: Item | undefined
}

/**
 * Reads from the nearest layer to the authority, and copies the item into the layers before the one that had it. While
 * neither the authority nor the bus can be reached, copies answer for a limited time (`Outage`).
 */
export class LayeredReader {
  readonly #near: NearSide
  readonly #authority: Authority
  readonly #outage: Outage
  readonly #tags: TagWindow
  readonly #recovery: RecoveryQueue | undefined

  constructor(
    near: NearSide,
    authority: Authority,
    outage: Outage,
    tags: TagWindow,
    recovery: RecoveryQueue | undefined,
  ) {
    this.#near = near
    this.#authority = authority
    this.#outage = outage
    this.#tags = tags
    this.#recovery = recovery
  }

  async get(key: string): Promise<Item | undefined> {
    if (isRecordKey(key)) return this.#readRecord(key)
    if (this.#recovery?.has(key)) return undefined
    const search = this.#begin(key)
    try {
      for (const [index, layer] of this.#near.layers.entries()) {
        if (!this.#near.trusted) break
        const reading = layer.read(key)
        const item = isPromise(reading) ? await reading : reading
        if (item === undefined) continue
        search.seen[index] = item.version
        if (search.needsAuthority) continue
        const valid = item.tags === undefined || this.#tags.valid(item.tags)
        if (isPromise(valid) ? !(await valid) : !valid) search.needsAuthority = true
        else return await this.#serve(search, item, layer, index)
      }
      const { value, isCopy } = await this.#outage.read(
        'items',
        () => this.#authority.backend.get(key),
        () => this.#copyInOutage(key),
      )
      search.found = value
      if (!isCopy) await this.#finish(search)
      return value
    } finally {
      this.#near.generations.leave(key, search.generation)
    }
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const searches = new Map<string, Search>()
    const records: string[] = []
    for (const key of new Set(keys)) {
      if (isRecordKey(key)) records.push(key)
      else if (!this.#recovery?.has(key)) searches.set(key, this.#begin(key))
    }
    const found = new Map<string, Item | undefined>()
    try {
      const remaining = await this.#searchNear([...searches.values()])
      await Promise.all([this.#searchAuthority(remaining), this.#readRecords(records, found)])
      for (const search of searches.values()) found.set(search.key, search.found)
    } finally {
      for (const { key, generation } of searches.values()) this.#near.generations.leave(key, generation)
    }
    return keys.map((key) => found.get(key))
  }

  #begin(key: string): Search {
    const generation = this.#near.generations.enter(key)
    const needsAuthority = this.#near.isSuspect(key)
    return { key, generation, captured: generation.count, seen: [], needsAuthority, found: undefined }
  }

  async #serve(search: Search, item: Item, layer: NearLayer, index: number): Promise<Item> {
    layer.hits += 1
    if (index > 0) await this.#near.promote(search.generation, search.captured, item, index, search.seen)
    return item
  }

  /** Copies the authority's item into the near layers, or drops the copies that it did not confirm. */
  async #finish(search: Search): Promise<void> {
    const { key, generation, captured, found, seen, needsAuthority } = search
    this.#authority.reads += 1
    if (!this.#near.trusted) this.#near.compare(key, found?.version)
    else if (found !== undefined && found.value !== undefined && !(await this.#hasChangedTag(found))) {
      await this.#near.promote(generation, captured, found, this.#near.layers.length, seen)
    } else if (needsAuthority) {
      await this.#near.dropUnchanged(generation, captured, key)
    }
  }

  /**
   * Whether a tag of the authority's item has changed. A remembered record that says so may be older than the item, so
   * the authority is asked for the record again. Without such a record the item counts as valid: its reader compares
   * the tags. If the authority fails now, the item counts as changed: the call has its answer and must not fail.
   */
  async #hasChangedTag(item: Item): Promise<boolean> {
    if (item.tags === undefined || !this.#tags.contradicts(item.tags)) return false
    try {
      return !(await this.#tags.valid(item.tags))
    } catch {
      return true
    }
  }

  /** The copy that answers for the authority, if its tags have not changed as far as this process knows. */
  async #copyInOutage(key: string): Promise<Item | undefined> {
    const item = await this.#near.copyInOutage(key)
    return item?.tags === undefined || this.#tags.validInOutage(item.tags) ? item : undefined
  }

  /** The copies of all keys, or `undefined` if one key has none: `undefined` in the result would mean an empty key. */
  async #copiesInOutage(searches: readonly Search[]): Promise<Item[] | undefined> {
    const items: Item[] = []
    for (const { key } of searches) {
      const item = await this.#copyInOutage(key)
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }

  /** Finds the items that the near layers have. Resolves to the searches that need the authority. */
  async #searchNear(searches: Search[]): Promise<Search[]> {
    let open = searches
    for (const [index, layer] of this.#near.layers.entries()) {
      if (open.length === 0 || !this.#near.trusted) break
      const copies = await layer.readMany(open.map((search) => search.key))
      const valid = await this.#areValid(open, copies)
      const next: Search[] = []
      for (const [at, search] of open.entries()) {
        const item = copies[at]
        if (item !== undefined) search.seen[index] = item.version
        if (item !== undefined && !valid[at]) search.needsAuthority = true
        if (item === undefined || search.needsAuthority) next.push(search)
        else search.found = await this.#serve(search, item, layer, index)
      }
      open = next
    }
    return open
  }

  /** Whether the tags of each copy are unchanged. Asks the authority at most once. */
  async #areValid(searches: readonly Search[], copies: readonly (Item | undefined)[]): Promise<boolean[]> {
    const valid = copies.map(() => true)
    const tagged = [...copies.keys()].filter((at) => copies[at]?.tags !== undefined && !searches[at]?.needsAuthority)
    if (tagged.length === 0) return valid
    const results = await this.#tags.validMany(tagged.map((at) => copies[at]?.tags ?? {}))
    for (const [index, at] of tagged.entries()) valid[at] = results[index] === true
    return valid
  }

  async #searchAuthority(searches: readonly Search[]): Promise<void> {
    if (searches.length === 0) return
    const { value: items, isCopy } = await this.#outage.read<(Item | undefined)[]>(
      'items',
      () => this.#authority.getMany(searches.map((search) => search.key)),
      () => this.#copiesInOutage(searches),
    )
    for (const [index, search] of searches.entries()) search.found = items[index]
    // At once: the calls for contradicting tag records then share one timeout.
    if (!isCopy) await Promise.all(searches.map((search) => this.#finish(search)))
  }

  async #readRecord(key: string): Promise<Item | undefined> {
    if (key[1] !== '#') return this.#recovery?.has(key) ? undefined : this.#authority.backend.get(key)
    return this.#tags.get(key) ?? (await this.#tags.getMany([key]))[0]
  }

  async #readRecords(records: readonly string[], found: Map<string, Item | undefined>): Promise<void> {
    if (records.length === 0) return
    const tags = records.filter((key) => key[1] === '#')
    const others = records.filter((key) => key[1] !== '#')
    const [tagItems, otherItems] = await Promise.all([this.#tags.getMany(tags), this.#authority.getMany(others)])
    for (const [index, key] of tags.entries()) found.set(key, tagItems[index])
    for (const [index, key] of others.entries()) {
      if (!this.#recovery?.has(key)) found.set(key, otherItems[index])
    }
  }
}
