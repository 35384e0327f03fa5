import { cacheErrorCode, type Item, isPromise, isRecordKey, type MaybePromise, settleAll } from '@cache/core/backend'
import type { Authority } from './authority.ts'
import type { Announcement, BusLink } from './bus-link.ts'
import { isTemporary, keepsOldItem, queueFull } from './errors.ts'
import type { KeyGeneration } from './key-generations.ts'
import type { NearSide } from './near-side.ts'
import type { Outage } from './outage.ts'
import type { RecoveryQueue } from './recovery-queue.ts'
import type { TagWindow } from './tag-window.ts'

/**
 * The effect of a change.
 *
 * - An item: the authority has this item now.
 * - `changed`: the authority has no item, or one that this process does not know.
 * - `suspect`: the authority is unchanged, but a near copy may be wrong.
 * - `unchanged`: the authority is unchanged.
 */
type Outcome = Item | 'changed' | 'suspect' | 'unchanged'

/** A change under way. */
interface Change {
  readonly key: string
  readonly generation: KeyGeneration
  /** The count of the generation when the change began. */
  readonly captured: number
}

/**
 * Writes to the authority first and to the near layers last. The announcement follows only if the authority has taken
 * the change (RACES R6, R10). If the authority fails, its item is unknown: the near copies are dropped and the write
 * rejects.
 *
 * The recovery queue takes the removals that the authority has failed to do: deletes, clears, invalidations of tags, and
 * that of the old item by a `set`, which still rejects.
 */
export class LayeredWriter {
  readonly #near: NearSide
  readonly #authority: Authority
  readonly #outage: Outage
  readonly #tags: TagWindow
  readonly #recovery: RecoveryQueue | undefined
  readonly #link: BusLink | undefined

  constructor(
    near: NearSide,
    authority: Authority,
    outage: Outage,
    tags: TagWindow,
    recovery: RecoveryQueue | undefined,
    link: BusLink | undefined,
  ) {
    this.#near = near
    this.#authority = authority
    this.#outage = outage
    this.#tags = tags
    this.#recovery = recovery
    this.#link = link
  }

  async set(item: Item): Promise<void> {
    const { key } = item
    if (isTagRecord(key) && this.#recovery?.hasJustFailed === true) {
      // An invalidation writes several records. Together they take one timeout, not one each.
      this.#tags.forget(key)
      if (this.#recovery.add([key])) return
    }
    let isQueued = false
    try {
      await this.#change(
        key,
        () => this.#authority.backend.set(item),
        () => item,
        (error) => {
          isQueued = this.#queueOldItems([key], error)
        },
      )
    } catch (error) {
      if (!isQueued) throw error
    }
  }

  async setMany(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return
    const last = new Map(items.map((item) => [item.key, item]))
    const records = [...last.values()].filter((item) => isRecordKey(item.key))
    await this.#finishPendingDeletes([...last.keys()], (error) => this.#queueOldItems([...last.keys()], error))
    for (const record of records) last.delete(record.key)
    const changes = [...last.keys()].map((key) => this.#begin(key))
    try {
      await this.#outage.observe(() => this.#authority.setMany(items))
      await allDone(
        changes.map(({ key, generation, captured }) => this.#near.put(generation, captured, last.get(key) as Item)),
      )
    } catch (error) {
      this.#queueOldItems([...last.keys()], error)
      await allDone(changes.map(({ key, generation }) => this.#near.drop(generation, key)))
      throw error
    } finally {
      for (const record of records) this.#tags.forget(record.key)
      for (const change of changes) this.#end(change)
    }
    const changed = [...last.values(), ...records.filter((record) => isTagRecord(record.key))]
    await this.#announce({
      kind: 'set',
      keys: changed.map(({ key }) => key),
      versions: changed.map(({ version }) => version),
    })
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
    // The authority makes the new version, so there is no item to copy.
    return this.#change(key, remote, () => 'changed')
  }

  async delete(key: string): Promise<boolean> {
    const remove = async (): Promise<boolean> => this.#authority.backend.delete(key)
    if (isRecordKey(key)) return this.#deleteRecord(key, remove)
    if (this.#recovery?.has(key)) {
      await this.#recovery.retriesEnded(key)
      if (this.#recovery.has(key)) return this.#retryDeletes([key])
    }
    return (await this.#deleteItems([key], async () => ((await remove()) ? 1 : 0))) > 0
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    if (this.#recovery !== undefined && this.#recovery.size > 0) {
      await Promise.all(keys.map((key) => this.#recovery?.retriesEnded(key)))
    }
    const pending: string[] = []
    const records: string[] = []
    const items: string[] = []
    for (const key of new Set(keys)) {
      const group = isRecordKey(key) ? records : this.#recovery?.has(key) ? pending : items
      group.push(key)
    }
    const [removed, removedRecords] = await Promise.all([
      items.length === 0 ? 0 : this.#deleteItems(items, () => this.#authority.deleteMany(items)),
      Promise.all(records.map((key) => this.delete(key))),
      this.#retryDeletes(pending),
    ])
    return removed + removedRecords.filter(Boolean).length
  }

  async clear(prefix?: string): Promise<void> {
    const { backend } = this.#authority
    const cleared = prefix ?? ''
    try {
      await this.#outage.observe(() => (prefix === undefined ? backend.clear() : backend.clear(prefix)))
    } catch (error) {
      // Before the near copies are dropped: a read in between must not copy an old item from the authority again.
      this.#queue(error, 'clear', cleared, (recovery) => recovery.addPrefix(cleared))
      return
    } finally {
      this.#tags.forgetPrefix(cleared)
      await this.#near.clear(cleared)
    }
    this.#recovery?.cleared(cleared)
    await this.#announce({ kind: 'clear', prefix: cleared })
  }

  /** `failed` runs before the near copies are dropped: a read in between must not copy the old item again. */
  async #change<Result>(
    key: string,
    remote: () => Promise<Result>,
    outcomeOf: (result: Result) => Outcome,
    failed: (error: unknown) => void = () => {},
  ): Promise<Result> {
    await this.#finishPendingDeletes([key], failed)
    if (isRecordKey(key)) return this.#changeRecord(key, remote, outcomeOf, failed)
    const change = this.#begin(key)
    const { generation, captured } = change
    try {
      const result = await this.#outage.observe(remote)
      const outcome = outcomeOf(result)
      if (outcome === 'unchanged') return result
      if (typeof outcome === 'string') await this.#near.drop(generation, key)
      else await this.#near.put(generation, captured, outcome)
      if (outcome !== 'suspect') await this.#announceKey(key, outcome)
      return result
    } catch (error) {
      failed(error)
      await this.#near.drop(generation, key)
      throw error
    } finally {
      this.#end(change)
    }
  }

  /** Records have no near copies. Tag records are remembered for the tag window. */
  async #changeRecord<Result>(
    key: string,
    remote: () => Promise<Result>,
    outcomeOf: (result: Result) => Outcome,
    failed: (error: unknown) => void,
  ): Promise<Result> {
    if (!isTagRecord(key)) return this.#outage.observe(remote)
    const generation = this.#tags.generations.enter(key)
    const captured = generation.count
    try {
      const result = await this.#outage.observe(remote)
      const outcome = outcomeOf(result)
      const isOnlyWrite = generation.count === captured
      this.#tags.forget(key)
      if (isOnlyWrite && typeof outcome === 'object') this.#tags.remember(generation, generation.count, outcome)
      if (outcome !== 'suspect' && outcome !== 'unchanged') await this.#announceKey(key, outcome)
      return result
    } catch (error) {
      failed(error)
      // The record of a namespace changes before those of its tags: they were to change as well.
      if (key.endsWith(':')) this.#tags.forgetPrefix(key)
      else this.#tags.forget(key)
      throw error
    } finally {
      this.#tags.generations.leave(key, generation)
    }
  }

  async #deleteItems(keys: readonly string[], remote: () => Promise<number>): Promise<number> {
    const changes = keys.map((key) => this.#begin(key))
    try {
      const nearCopies = this.#recovery === undefined ? 0 : await this.#countNearCopies(keys)
      const removed = await this.#deleteRemote(keys, remote, changes)
      if (removed === undefined) return nearCopies
      await this.#announce({ kind: 'delete', keys })
      return removed
    } finally {
      for (const change of changes) this.#end(change)
    }
  }

  /**
   * Deletes at the authority, then in the near layers. `undefined`: the authority failed, and the recovery queue has
   * the keys.
   */
  async #deleteRemote(
    keys: readonly string[],
    remote: () => Promise<number>,
    changes: readonly Change[],
  ): Promise<number | undefined> {
    try {
      return await this.#outage.observe(remote)
    } catch (error) {
      // Before the near copies are dropped: a read in between must not copy the old item from the authority again.
      this.#queue(error, 'delete', keys[0] as string, (recovery) => recovery.add(keys))
      return undefined
    } finally {
      await allDone(changes.map(({ key, generation }) => this.#near.drop(generation, key)))
    }
  }

  /** A record of a tag that is missing makes the items of the tag invalid, so this delete may be late as well. */
  async #deleteRecord(key: string, remote: () => Promise<boolean>): Promise<boolean> {
    try {
      return await this.#change(key, remote, () => 'changed')
    } catch (error) {
      // A late delete of another record could end a lock that another process has taken meanwhile.
      if (!isTagRecord(key)) throw error
      this.#queue(error, 'delete', key, (recovery) => recovery.add([key]))
      return false
    }
  }

  /** Throws the error if the recovery queue does not take such failures (RACES R11), and `QUEUE_FULL` if it is full. */
  #queue(error: unknown, operation: string, target: string, add: (recovery: RecoveryQueue) => boolean): void {
    if (this.#recovery === undefined || !isTemporary(error)) throw error
    if (!add(this.#recovery)) throw queueFull(operation, target, this.#recovery.bound, error)
  }

  /**
   * Queues the deletes of items that a failed write was to replace. Returns `true` if that alone is the purpose of the
   * write: a new version of a tag record invalidates items, and so does a missing record.
   */
  #queueOldItems(keys: readonly string[], error: unknown): boolean {
    if (this.#recovery === undefined || !keepsOldItem(error)) return false
    const isInvalidation = keys.every(isTagRecord)
    // The caller then removes the record, which takes no memory and does not have to wait.
    if (isInvalidation && cacheErrorCode(error) === 'OUT_OF_MEMORY') return false
    const queued = keys.filter((key) => !isRecordKey(key) || isTagRecord(key))
    return this.#recovery.add(queued, isInvalidation) && isInvalidation
  }

  /**
   * Retries pending deletes. The result is `false`, because an earlier call has already reported these items as
   * removed.
   */
  async #retryDeletes(keys: readonly string[]): Promise<false> {
    this.#recovery?.rely(keys)
    await Promise.allSettled(keys.map((key) => this.#recovery?.retry(key)))
    return false
  }

  /** Does the pending deletes of keys before a write: a later retry would remove the new item. */
  async #finishPendingDeletes(keys: readonly string[], failed: (error: unknown) => void): Promise<void> {
    const recovery = this.#recovery
    if (recovery === undefined || recovery.size === 0) return
    try {
      await settleAll(keys.map((key) => recovery.retry(key)))
    } catch (error) {
      failed(error)
      throw error
    }
  }

  async #countNearCopies(keys: readonly string[]): Promise<number> {
    const copies = (await this.#near.layers[0]?.readMany(keys)) ?? []
    return copies.filter((copy) => copy !== undefined).length
  }

  #begin(key: string): Change {
    const generation = this.#near.generations.enter(key)
    return { key, generation, captured: generation.count }
  }

  #end({ key, generation }: Change): void {
    this.#near.generations.leave(key, generation)
  }

  #announceKey(key: string, outcome: Item | 'changed'): Promise<void> {
    return outcome === 'changed' || outcome.value === undefined
      ? this.#announce({ kind: 'delete', keys: [key] })
      : this.#announce({ kind: 'set', keys: [key], versions: [outcome.version] })
  }

  async #announce(announcement: Announcement): Promise<void> {
    await this.#link?.publish(announcement)
  }
}

function afterCompareAndSet(expected: string | undefined, next: Item | undefined): Outcome {
  if (next === undefined) return 'changed'
  // A placeholder in place of nothing is not announced: the result of its load will be.
  if (next.value === undefined) return expected === undefined ? 'suspect' : 'changed'
  return next
}

/** The expected version may come from an old copy, which the next read must not find again. */
function afterRefusal(expected: string | undefined): Outcome {
  return expected === undefined ? 'unchanged' : 'suspect'
}

function isTagRecord(key: string): boolean {
  return key[1] === '#' && isRecordKey(key)
}

/** Waits for the writes that are asynchronous. */
async function allDone(writes: readonly MaybePromise<void>[]): Promise<void> {
  for (const write of writes) if (isPromise(write)) await write
}
