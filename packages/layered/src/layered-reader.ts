import { type Item, isPromise, isRecordKey } from '@cache/core/backend'
import type { Authority } from './authority.ts'
import type { Fence } from './key-generations.ts'
import type { NearLayer } from './near-layer.ts'
import type { NearSide } from './near-side.ts'
import type { RecoveryQueue } from './recovery-queue.ts'
import type { TagWindow } from './tag-window.ts'

/** One key on its way from near to far. */
interface Search {
  readonly key: string
  readonly fence: Fence
  readonly epoch: number
  /** What each near layer held when it was asked. */
  readonly seen: (string | undefined)[]
  /** Copies are known to be old or doubtful: only the authority can tell. */
  disputed: boolean
  found: Item | undefined
}

/** Reads near to far, and copies what is found into the nearer layers. */
export class LayeredReader {
  readonly #near: NearSide
  readonly #authority: Authority
  readonly #tags: TagWindow
  readonly #recovery: RecoveryQueue | undefined

  constructor(near: NearSide, authority: Authority, tags: TagWindow, recovery: RecoveryQueue | undefined) {
    this.#near = near
    this.#authority = authority
    this.#tags = tags
    this.#recovery = recovery
  }

  async get(key: string): Promise<Item | undefined> {
    if (isRecordKey(key)) return this.#record(key)
    if (this.#recovery?.has(key)) return undefined
    const search = this.#begin(key)
    try {
      for (const [index, layer] of this.#near.layers.entries()) {
        if (!this.#near.trusted) break
        const held = layer.read(key)
        const item = isPromise(held) ? await held : held
        if (item === undefined) continue
        search.seen[index] = item.version
        if (search.disputed) continue
        const valid = item.tags === undefined || this.#tags.valid(item.tags)
        if (isPromise(valid) ? !(await valid) : !valid) search.disputed = true
        else return await this.#serve(search, item, layer, index)
      }
      search.found = await this.#authority.backend.get(key)
      await this.#finish(search)
      return search.found
    } finally {
      this.#near.fences.leave(key, search.fence)
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
      await Promise.all([this.#searchFar(remaining), this.#readRecords(records, found)])
      for (const search of searches.values()) found.set(search.key, search.found)
    } finally {
      for (const { key, fence } of searches.values()) this.#near.fences.leave(key, fence)
    }
    return keys.map((key) => found.get(key))
  }

  #begin(key: string): Search {
    const fence = this.#near.fences.enter(key)
    return { key, fence, epoch: fence.epoch, seen: [], disputed: this.#near.doubtful(key), found: undefined }
  }

  async #serve(search: Search, item: Item, layer: NearLayer, index: number): Promise<Item> {
    layer.hits += 1
    if (index > 0) await this.#near.promote(search.fence, search.epoch, item, index, search.seen)
    return item
  }

  /** What the authority said becomes the copy, or takes the copies away. */
  async #finish(search: Search): Promise<void> {
    const { key, fence, epoch, found, seen, disputed } = search
    this.#authority.reads += 1
    if (found !== undefined && found.value !== undefined && !(await this.#invalid(found))) {
      await this.#near.promote(fence, epoch, found, this.#near.layers.length, seen)
    } else if (disputed) {
      await this.#near.dropUnchanged(fence, epoch, key)
    }
  }

  /**
   * Whether a tag of the authority's item has changed, as far as that is known without asking. What is remembered and says so
   * may be old itself, and whoever reads the item compares next: it is asked for again first.
   */
  async #invalid(item: Item): Promise<boolean> {
    if (item.tags === undefined || !this.#tags.contradicts(item.tags)) return false
    return !(await this.#tags.valid(item.tags))
  }

  /** Serves what the near layers hold; resolves to the searches that only the authority can answer. */
  async #searchNear(searches: Search[]): Promise<Search[]> {
    let open = searches
    for (const [index, layer] of this.#near.layers.entries()) {
      if (open.length === 0 || !this.#near.trusted) break
      const held = await layer.readMany(open.map((search) => search.key))
      const valid = await this.#validCopies(open, held)
      const next: Search[] = []
      for (const [at, search] of open.entries()) {
        const item = held[at]
        if (item !== undefined) search.seen[index] = item.version
        if (item !== undefined && !valid[at]) search.disputed = true
        if (item === undefined || search.disputed) next.push(search)
        else search.found = await this.#serve(search, item, layer, index)
      }
      open = next
    }
    return open
  }

  /** Which copies have tags that still hold; asks the authority once for all of them. */
  async #validCopies(searches: readonly Search[], held: readonly (Item | undefined)[]): Promise<boolean[]> {
    const valid = held.map(() => true)
    const tagged = [...held.keys()].filter((at) => held[at]?.tags !== undefined && !searches[at]?.disputed)
    if (tagged.length === 0) return valid
    const answers = await this.#tags.validMany(tagged.map((at) => held[at]?.tags ?? {}))
    for (const [index, at] of tagged.entries()) valid[at] = answers[index] === true
    return valid
  }

  async #searchFar(searches: readonly Search[]): Promise<void> {
    if (searches.length === 0) return
    const items = await this.#authority.getMany(searches.map((search) => search.key))
    for (const [index, search] of searches.entries()) {
      search.found = items[index]
      await this.#finish(search)
    }
  }

  async #record(key: string): Promise<Item | undefined> {
    if (key[1] !== '#') return this.#authority.backend.get(key)
    return this.#tags.get(key) ?? (await this.#tags.getMany([key]))[0]
  }

  async #readRecords(records: readonly string[], found: Map<string, Item | undefined>): Promise<void> {
    if (records.length === 0) return
    const tags = records.filter((key) => key[1] === '#')
    const others = records.filter((key) => key[1] !== '#')
    const [tagItems, otherItems] = await Promise.all([this.#tags.getMany(tags), this.#authority.getMany(others)])
    for (const [index, key] of tags.entries()) found.set(key, tagItems[index])
    for (const [index, key] of others.entries()) found.set(key, otherItems[index])
  }
}
