import { hashLength } from '../hashing/hash-text.ts'
import { isNodeRecord, isResultRecord } from './node-record.ts'
import type { PipelineStore } from './pipeline-store.ts'

/** What a collection did. */
export interface CollectedBlobs {
  readonly removed: number
  readonly kept: number
}

const clockKey = 'collected'

/**
 * Removes the blobs that no record names and that are older than `grace` milliseconds. The blobs are listed before the records, and a
 * result is stored before its record: a blob of a run that is under way is either not listed, or younger than `grace`.
 */
export async function collectBlobs(store: PipelineStore, grace: number): Promise<CollectedBlobs> {
  const keys: string[] = []
  for await (const key of store.blobs.keys('blob:')) keys.push(key)
  for await (const key of store.blobs.keys('list:')) keys.push(key)
  const named = await namedKeys(store)
  const unnamed = keys.filter((key) => !named.has(key))
  const before = (await storeTime(store)) - grace
  let removed = 0
  for (const key of unnamed) {
    const item = await store.blobs.item(key)
    if (item === undefined || item.createdAt > before) continue
    if (await store.blobs.delete(key)) removed += 1
  }
  return { removed, kept: keys.length - removed }
}

async function namedKeys(store: PipelineStore): Promise<Set<string>> {
  const named = new Set<string>()
  const lists = new Set<string>()
  for await (const [, record] of store.meta.entries('record:')) {
    if (!isNodeRecord(record)) continue
    if (record.items === undefined) named.add(`blob:${record.hash}`)
    else lists.add(record.hash)
  }
  for await (const [, record] of store.meta.entries('item:'))
    if (isResultRecord(record)) named.add(`blob:${record.hash}`)
  for (const hash of lists) {
    named.add(`list:${hash}`)
    const text = await store.blobs.get(`list:${hash}`)
    if (typeof text !== 'string') continue
    for (let start = 0; start < text.length; start += hashLength)
      named.add(`blob:${text.slice(start, start + hashLength)}`)
  }
  return named
}

/** The current instant by the clock that dates the blobs. */
async function storeTime(store: PipelineStore): Promise<number> {
  await store.blobs.set(clockKey, 1, { ttl: '1m', staleFor: 0 })
  const item = await store.blobs.item(clockKey)
  return item?.createdAt ?? 0
}
