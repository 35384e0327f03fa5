import { type Item, isPromise, isRecordKey, type MaybePromise } from '@cache/core/backend'
import type { Authority } from './authority.ts'
import type { Announcement, BusLink } from './bus-link.ts'
import { mayPass, queueFull } from './errors.ts'
import type { Fence } from './key-generations.ts'
import type { NearSide } from './near-side.ts'
import type { RecoveryQueue } from './recovery-queue.ts'
import type { TagWindow } from './tag-window.ts'

/**
 * What a change left at the authority: this item; `changed`, to something that is not known here or to nothing; `outdated`,
 * the authority is as it was and a near copy may be wrong; `unchanged`.
 */
type Outcome = Item | 'changed' | 'outdated' | 'unchanged'

/** A change on its way. */
interface Change {
  readonly key: string
  readonly fence: Fence
  readonly ticket: number
}

/**
 * Writes: the authority first, the near layers last, then the announcement, and that only when the authority has taken the
 * change (RACES R6, R10). Where the authority fails, what it holds is not known: the near copies go and the write rejects.
 */
export class LayeredWriter {
  readonly #near: NearSide
  readonly #authority: Authority
  readonly #tags: TagWindow
  readonly #recovery: RecoveryQueue | undefined
  readonly #link: BusLink | undefined

  constructor(
    near: NearSide,
    authority: Authority,
    tags: TagWindow,
    recovery: RecoveryQueue | undefined,
    link: BusLink | undefined,
  ) {
    this.#near = near
    this.#authority = authority
    this.#tags = tags
    this.#recovery = recovery
    this.#link = link
  }

  set(item: Item): Promise<void> {
    return this.#change(
      item.key,
      () => this.#authority.backend.set(item),
      () => item,
    )
  }

  async setMany(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return
    const last = new Map(items.map((item) => [item.key, item]))
    const records = [...last.values()].filter((item) => isRecordKey(item.key))
    for (const record of records) last.delete(record.key)
    await this.#settle(last.keys())
    const changes = [...last.keys()].map((key) => this.#begin(key))
    try {
      await this.#authority.setMany(items)
      await all(changes.map(({ key, fence, ticket }) => this.#near.put(fence, ticket, last.get(key) as Item)))
    } catch (error) {
      await all(changes.map(({ key, fence }) => this.#near.drop(fence, key)))
      throw error
    } finally {
      for (const record of records) this.#tags.forget(record.key)
      for (const change of changes) this.#end(change)
    }
    const told = [...last.values(), ...records.filter((record) => isTagRecord(record.key))]
    await this.#tell({ kind: 'set', keys: told.map(({ key }) => key), versions: told.map(({ version }) => version) })
  }

  /** `remote` is the call of the authority. */
  compareAndSet(
    key: string,
    expected: string | undefined,
    next: Item | undefined,
    remote: () => Promise<boolean>,
  ): Promise<boolean> {
    return this.#change(key, remote, (isSet) => (isSet ? afterCompareAndSet(expected, next) : afterRefusal(expected)))
  }

  /** `remote` is the call of the authority. */
  increment(key: string, remote: () => Promise<number>): Promise<number> {
    return this.#change(
      key,
      remote,
      // The new version is the authority's to make, so there is no copy to put.
      () => 'changed',
    )
  }

  async delete(key: string): Promise<boolean> {
    const remove = async (): Promise<boolean> => this.#authority.backend.delete(key)
    if (isRecordKey(key)) return this.#change(key, remove, () => 'changed')
    if (this.#recovery?.has(key)) return this.#deleteAgain([key])
    return (await this.#deleteItems([key], async () => ((await remove()) ? 1 : 0))) > 0
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    const waiting: string[] = []
    const records: string[] = []
    const items: string[] = []
    for (const key of new Set(keys)) {
      const group = isRecordKey(key) ? records : this.#recovery?.has(key) ? waiting : items
      group.push(key)
    }
    const [removed, removedRecords] = await Promise.all([
      items.length === 0 ? 0 : this.#deleteItems(items, () => this.#authority.deleteMany(items)),
      Promise.all(records.map((key) => this.delete(key))),
      this.#deleteAgain(waiting),
    ])
    return removed + removedRecords.filter(Boolean).length
  }

  async clear(prefix?: string): Promise<void> {
    const { backend } = this.#authority
    try {
      await (prefix === undefined ? backend.clear() : backend.clear(prefix))
    } finally {
      this.#tags.forgetPrefix(prefix ?? '')
      await this.#near.clear(prefix ?? '')
    }
    this.#recovery?.cleared(prefix ?? '')
    await this.#tell({ kind: 'clear', prefix: prefix ?? '' })
  }

  async #change<Answer>(key: string, far: () => Promise<Answer>, judge: (answer: Answer) => Outcome): Promise<Answer> {
    if (isRecordKey(key)) return this.#changeRecord(key, far, judge)
    await this.#settle([key])
    const change = this.#begin(key)
    const { fence, ticket } = change
    try {
      const answer = await far()
      const outcome = judge(answer)
      if (outcome === 'unchanged') return answer
      if (typeof outcome === 'string') await this.#near.drop(fence, key)
      else await this.#near.put(fence, ticket, outcome)
      if (outcome !== 'outdated') await this.#tellKey(key, outcome)
      return answer
    } catch (error) {
      await this.#near.drop(fence, key)
      throw error
    } finally {
      this.#end(change)
    }
  }

  /** Records of the cache itself stay at the authority; those of tags are remembered for the window. */
  async #changeRecord<Answer>(
    key: string,
    far: () => Promise<Answer>,
    judge: (answer: Answer) => Outcome,
  ): Promise<Answer> {
    if (!isTagRecord(key)) return far()
    const fence = this.#tags.fences.enter(key)
    const ticket = fence.epoch
    try {
      const answer = await far()
      const outcome = judge(answer)
      const alone = fence.epoch === ticket
      this.#tags.forget(key)
      if (alone && typeof outcome === 'object') this.#tags.remember(fence, fence.epoch, outcome)
      if (outcome !== 'outdated' && outcome !== 'unchanged') await this.#tellKey(key, outcome)
      return answer
    } catch (error) {
      this.#tags.forget(key)
      throw error
    } finally {
      this.#tags.fences.leave(key, fence)
    }
  }

  async #deleteItems(keys: readonly string[], far: () => Promise<number>): Promise<number> {
    const changes = keys.map((key) => this.#begin(key))
    try {
      const held = this.#recovery === undefined ? 0 : await this.#countNear(keys)
      const removed = await this.#deleteFar(keys, far, changes)
      if (removed === undefined) return held
      await this.#tell({ kind: 'delete', keys })
      return removed
    } finally {
      for (const change of changes) this.#end(change)
    }
  }

  /** Far first, near last; `undefined` when the authority failed and the recovery queue took the keys. */
  async #deleteFar(
    keys: readonly string[],
    far: () => Promise<number>,
    changes: readonly Change[],
  ): Promise<number | undefined> {
    try {
      return await far()
    } catch (error) {
      // Queued before the near copies go: a read in between must not bring the old item back from the authority.
      this.#queue(keys, error)
      return undefined
    } finally {
      await all(changes.map(({ key, fence }) => this.#near.drop(fence, key)))
    }
  }

  /** Throws where the failure is not one that the recovery queue takes (RACES R11). */
  #queue(keys: readonly string[], error: unknown): void {
    if (this.#recovery === undefined || !mayPass(error)) throw error
    if (!this.#recovery.add(keys)) throw queueFull(keys[0] as string, this.#recovery.bound, error)
  }

  /** Deletes that were acknowledged and wait: tried again now, and already told to their caller. */
  async #deleteAgain(keys: readonly string[]): Promise<false> {
    await Promise.allSettled(keys.map((key) => this.#recovery?.settle(key)))
    return false
  }

  /** Whatever is to be written over a delete that waits must not be removed by it later. */
  async #settle(keys: Iterable<string>): Promise<void> {
    if (this.#recovery === undefined || this.#recovery.size === 0) return
    for (const key of keys) await this.#recovery.settle(key)
  }

  async #countNear(keys: readonly string[]): Promise<number> {
    const held = (await this.#near.layers[0]?.readMany(keys)) ?? []
    return held.filter((item) => item !== undefined).length
  }

  #begin(key: string): Change {
    const fence = this.#near.fences.enter(key)
    return { key, fence, ticket: fence.epoch }
  }

  #end({ key, fence }: Change): void {
    this.#near.fences.leave(key, fence)
  }

  #tellKey(key: string, outcome: Item | 'changed'): Promise<void> {
    return outcome === 'changed' || outcome.value === undefined
      ? this.#tell({ kind: 'delete', keys: [key] })
      : this.#tell({ kind: 'set', keys: [key], versions: [outcome.version] })
  }

  async #tell(announcement: Announcement): Promise<void> {
    await this.#link?.publish(announcement)
  }
}

function afterCompareAndSet(expected: string | undefined, next: Item | undefined): Outcome {
  if (next === undefined) return 'changed'
  // A placeholder where nothing was is no news for anyone: what follows it is announced.
  if (next.value === undefined) return expected === undefined ? 'outdated' : 'changed'
  return next
}

/** The version may have come from an old copy, and the next read must not meet that again. Expecting nothing, none was read. */
function afterRefusal(expected: string | undefined): Outcome {
  return expected === undefined ? 'unchanged' : 'outdated'
}

function isTagRecord(key: string): boolean {
  return key[1] === '#' && isRecordKey(key)
}

/** Waits for those that take their time. */
async function all(steps: readonly MaybePromise<void>[]): Promise<void> {
  for (const step of steps) if (isPromise(step)) await step
}
