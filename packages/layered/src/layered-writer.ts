import { type Item, isPromise, isRecordKey, type MaybePromise } from '@cache/core/backend'
import type { Authority } from './authority.ts'
import type { Announcement, BusLink } from './bus-link.ts'
import { isTemporary, queueFull } from './errors.ts'
import type { KeyGeneration } from './key-generations.ts'
import type { NearSide } from './near-side.ts'
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
    await this.#finishPendingDeletes(last.keys())
    const changes = [...last.keys()].map((key) => this.#begin(key))
    try {
      await this.#authority.setMany(items)
      await allDone(
        changes.map(({ key, generation, captured }) => this.#near.put(generation, captured, last.get(key) as Item)),
      )
    } catch (error) {
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
    if (isRecordKey(key)) return this.#change(key, remove, () => 'changed')
    if (this.#recovery?.has(key)) return this.#retryDeletes([key])
    return (await this.#deleteItems([key], async () => ((await remove()) ? 1 : 0))) > 0
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
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
    try {
      await (prefix === undefined ? backend.clear() : backend.clear(prefix))
    } finally {
      this.#tags.forgetPrefix(prefix ?? '')
      await this.#near.clear(prefix ?? '')
    }
    this.#recovery?.cleared(prefix ?? '')
    await this.#announce({ kind: 'clear', prefix: prefix ?? '' })
  }

  async #change<Result>(
    key: string,
    remote: () => Promise<Result>,
    outcomeOf: (result: Result) => Outcome,
  ): Promise<Result> {
    if (isRecordKey(key)) return this.#changeRecord(key, remote, outcomeOf)
    await this.#finishPendingDeletes([key])
    const change = this.#begin(key)
    const { generation, captured } = change
    try {
      const result = await remote()
      const outcome = outcomeOf(result)
      if (outcome === 'unchanged') return result
      if (typeof outcome === 'string') await this.#near.drop(generation, key)
      else await this.#near.put(generation, captured, outcome)
      if (outcome !== 'suspect') await this.#announceKey(key, outcome)
      return result
    } catch (error) {
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
  ): Promise<Result> {
    if (!isTagRecord(key)) return remote()
    const generation = this.#tags.generations.enter(key)
    const captured = generation.count
    try {
      const result = await remote()
      const outcome = outcomeOf(result)
      const isOnlyWrite = generation.count === captured
      this.#tags.forget(key)
      if (isOnlyWrite && typeof outcome === 'object') this.#tags.remember(generation, generation.count, outcome)
      if (outcome !== 'suspect' && outcome !== 'unchanged') await this.#announceKey(key, outcome)
      return result
    } catch (error) {
      this.#tags.forget(key)
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
      return await remote()
    } catch (error) {
      // Before the near copies are dropped: a read in between must not copy the old item from the authority again.
      this.#queue(keys, error)
      return undefined
    } finally {
      await allDone(changes.map(({ key, generation }) => this.#near.drop(generation, key)))
    }
  }

  /** Throws the error if the recovery queue does not take such failures (RACES R11), and `QUEUE_FULL` if it is full. */
  #queue(keys: readonly string[], error: unknown): void {
    if (this.#recovery === undefined || !isTemporary(error)) throw error
    if (!this.#recovery.add(keys)) throw queueFull(keys[0] as string, this.#recovery.bound, error)
  }

  /**
   * Retries pending deletes. The result is `false`, because an earlier call has already reported these items as
   * removed.
   */
  async #retryDeletes(keys: readonly string[]): Promise<false> {
    await Promise.allSettled(keys.map((key) => this.#recovery?.retry(key)))
    return false
  }

  /** Does the pending deletes of keys before a write: a later retry would remove the new item. */
  async #finishPendingDeletes(keys: Iterable<string>): Promise<void> {
    if (this.#recovery === undefined || this.#recovery.size === 0) return
    for (const key of keys) await this.#recovery.retry(key)
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
