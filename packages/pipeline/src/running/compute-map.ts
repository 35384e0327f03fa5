import { overName } from '../graph/definition.ts'
import { hashValue } from '../hashing/hash-value.ts'
import { keyOf } from '../hashing/node-key.ts'
import { type ResultRecord, storageFormat } from '../storage/node-record.ts'
import { listHash } from '../storage/pipeline-store.ts'
import { changedDependency, checkUnchanged, valuesOf } from './compute-node.ts'
import type { Computed } from './computed.ts'
import { MapItems } from './map-items.ts'
import { NodeFailure } from './node-failure.ts'
import { checkWanted, type StepContext } from './step-context.ts'

/** An item whose result is not stored. */
interface MissingItem {
  readonly hash: string
  readonly key: string
  /** The place of the first of equal items. */
  readonly index: number
}

/** What a map has done. */
export interface ComputedMap extends Computed {
  readonly hits: number
  readonly savedMs: number
  readonly computedItems: number
  readonly duplicates: number
}

/** Computes the items of a map that have no stored result, each of equal items once, and stores them one by one. */
export async function computeMap(context: StepContext): Promise<ComputedMap> {
  const { state, definition, parts } = context
  const { name } = definition.node
  const items = await MapItems.of(context)
  const first = new Map<string, number>()
  for (const [index, hash] of items.hashes.entries()) if (!first.has(hash)) first.set(hash, index)
  const prefix = itemPrefix(context)
  const wanted = [...first].map(([hash, index]) => ({ hash, index, key: keyOf([...prefix, hash]) }))
  const stored = context.isForced ? [] : await state.settings.store.itemRecords(wanted.map(({ key }) => key))
  const records = new Map<string, ResultRecord>()
  const missing: MissingItem[] = []
  for (const [index, item] of wanted.entries()) {
    const record = stored[index]
    // A record whose blob was lost is of no use.
    if (record === undefined || state.lostBlobs.has(record.hash)) missing.push(item)
    else records.set(item.hash, record)
  }
  const hits = records.size
  const savedMs = sum([...records.values()].map(({ ms }) => ms))
  const known = new Map<string, unknown>()
  const isStored = await computeItems(context, items, missing, records, known)
  const hashes = items.hashes.map((hash) => (records.get(hash) as ResultRecord).hash)
  const all = [...records.values()]
  const record = {
    format: storageFormat,
    node: name,
    hash: listHash(hashes),
    bytes: sum(all.map(({ bytes }) => bytes)),
    ms: sum(all.map(({ ms }) => ms)),
    ...parts,
    items: hashes.length,
  }
  const hasList = await state.stores(name, () => state.settings.store.setList(record.hash, hashes))
  return {
    record,
    isStored: isStored && hasList,
    elements: { hashes, known },
    hits,
    savedMs,
    computedItems: missing.length,
    duplicates: hashes.length - wanted.length,
  }
}

/** Fills `records` and `known`. Resolves to whether all results were stored. */
async function computeItems(
  context: StepContext,
  items: MapItems,
  missing: readonly MissingItem[],
  records: Map<string, ResultRecord>,
  known: Map<string, unknown>,
): Promise<boolean> {
  if (missing.length === 0) return true
  const { state, definition } = context
  const { name } = definition.node
  const others = new Map([...context.dependencies].filter(([as]) => as !== overName))
  const [deps, values] = await Promise.all([valuesOf(others), items.valuesAt(missing.map(({ index }) => index))])
  const total = items.hashes.length
  const before = total - missing.length
  state.progress({ node: name, step: 'started', items: { done: before, total } })
  let isStored = true
  let next = 0
  let done = before
  let failure: { readonly error: unknown } | undefined
  const work = async (): Promise<void> => {
    while (failure === undefined && next < missing.length) {
      const item = missing[next] as MissingItem
      const value = values[next]
      next += 1
      try {
        const { record, result } = await computeItem(context, item, value, deps)
        records.set(item.hash, record)
        known.set(record.hash, result)
        // At once, and not with the others: a killed process loses only the items that it was working on.
        if (!(await storeItem(context, item, record, result))) isStored = false
        done += 1
        state.progress({ node: name, step: 'item', items: { done, total } })
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(state.slots.limit, missing.length) }, work))
  if (failure !== undefined) throw failure.error
  checkUnchanged(name, deps, others)
  return isStored
}

async function computeItem(
  context: StepContext,
  { hash: itemHash, index }: MissingItem,
  item: unknown,
  deps: Readonly<Record<string, unknown>>,
): Promise<{ readonly record: ResultRecord; readonly result: unknown }> {
  const { state, definition, signal } = context
  const { name } = definition.node
  const fn = definition.fn as (item: unknown, context: unknown) => unknown
  const { env } = state.settings
  const itemName = (): string => nameOf(item, index, definition.itemName)
  let ms = 0
  const result = await state.slots.run(
    () => checkWanted(context),
    async () => {
      const started = performance.now()
      try {
        return await fn(item, { deps, env, signal })
      } catch (error) {
        throw new NodeFailure(name, item, error, itemName())
      } finally {
        ms = performance.now() - started
      }
    },
  )
  if (!hasHash(item, itemHash)) throw changedDependency(name, `the item ${itemName()}`)
  const { hash, bytes } = hashValue(result, () => `map '${name}': the result of the item ${itemName()}`)
  return { record: { format: storageFormat, hash, bytes, ms }, result }
}

async function storeItem(
  { state, definition }: StepContext,
  { key }: MissingItem,
  record: ResultRecord,
  result: unknown,
): Promise<boolean> {
  const { store } = state.settings
  return await state.stores(definition.node.name, async () => {
    // The blob first: a record never names a blob that was not stored yet.
    await store.setBlob(record, result)
    await store.setItem(key, record, definition.ttl)
  })
}

/** What the key of an item has besides the hash of the item. The other items are no part of it. */
function itemPrefix({ state, definition, parts, dependencies }: StepContext): string[] {
  const others = [...dependencies].filter(([as]) => as !== overName).flatMap(([as, { hash }]) => [as, hash])
  return [
    'item',
    String(storageFormat),
    state.settings.pipeline,
    definition.node.name,
    parts.code,
    parts.env,
    ...others,
  ]
}

/** A name for errors. A `key` that fails must not hide the error. */
function nameOf(item: unknown, index: number, itemName: ((item: unknown) => unknown) | undefined): string {
  try {
    return itemName === undefined ? String(index) : String(itemName(item))
  } catch {
    return String(index)
  }
}

function hasHash(item: unknown, hash: string): boolean {
  try {
    return hashValue(item, () => 'an item').hash === hash
  } catch {
    return false
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
