import type { CacheLike, Loader } from '@cache/core'
import { hashLength, hashText } from '../hashing/hash-text.ts'
import { hashValue } from '../hashing/hash-value.ts'
import { isNodeRecord, isResultRecord, type NodeRecord, type ResultRecord } from './node-record.ts'

/** Results of more bytes are looked for before they are written: the same blob may be there. */
const worthALook = 65_536
/** The keys of one batch read. */
const batchSize = 1000
const noEnd = { ttl: Number.POSITIVE_INFINITY, staleFor: 0 } as const
/** The hash of `undefined`, which no cache can store. */
export const hashOfUndefined: string = hashValue(undefined, () => 'undefined').hash

/** How a blob was read. */
export type BlobState = 'found' | 'absent' | 'damaged'

export interface Blob {
  readonly state: BlobState
  readonly value: unknown
}

const absent: Blob = { state: 'absent', value: undefined }
const damaged: Blob = { state: 'damaged', value: undefined }

/** How a record is loaded. */
export interface LoadRecord {
  readonly ttl: number
  readonly force: boolean
  readonly lock: boolean
  readonly signal: AbortSignal | undefined
}

/** The records and blobs of one pipeline in its caches. */
export class PipelineStore {
  readonly meta: CacheLike
  readonly blobs: CacheLike

  constructor(meta: CacheLike, blobs: CacheLike) {
    this.meta = meta
    this.blobs = blobs
  }

  /** Resolves to whatever the key holds, or to the record of `load`, which is then stored. One process at a time loads. */
  getOrLoad(key: string, load: Loader<NodeRecord>, { ttl, force, lock, signal }: LoadRecord): Promise<unknown> {
    return this.meta.getOrSet<unknown>(`record:${key}`, load, {
      ttl,
      staleFor: 0,
      jitter: 0,
      refreshAhead: 1,
      earlyExpiry: 0,
      timeout: Number.POSITIVE_INFINITY,
      lock,
      ...(force ? { forceRefresh: true } : undefined),
      ...(signal === undefined ? undefined : { signal }),
    })
  }

  /** Resolves to the record, or to `undefined`, also where the key holds something else. */
  async record(key: string): Promise<NodeRecord | undefined> {
    const record = await this.meta.get(`record:${key}`)
    return isNodeRecord(record) ? record : undefined
  }

  async deleteRecord(key: string): Promise<void> {
    await this.meta.delete(`record:${key}`)
  }

  /** The parts of a node's latest result, whatever its key was, and whether its life is over. */
  async latest(node: string): Promise<{ readonly record: NodeRecord; readonly isExpired: boolean } | undefined> {
    const key = `latest:${node}`
    const record = (await this.meta.item(key))?.value
    if (!isNodeRecord(record)) return undefined
    return { record, isExpired: !(await this.meta.has(key)) }
  }

  async setLatest(record: NodeRecord, ttl: number): Promise<void> {
    await this.meta.set(`latest:${record.node}`, record, { ttl, staleFor: Number.POSITIVE_INFINITY })
  }

  /** The records of items in the order of the keys; `undefined` for those that are absent. */
  async itemRecords(keys: readonly string[]): Promise<(ResultRecord | undefined)[]> {
    const values = await inBatches(keys, (some) => this.meta.getMany(some.map((key) => `item:${key}`)))
    return values.map((value) => (isResultRecord(value) ? value : undefined))
  }

  async setItem(key: string, record: ResultRecord, ttl: number): Promise<void> {
    await this.meta.set(`item:${key}`, record, { ttl, staleFor: 0 })
  }

  /** Stores a result under its hash. */
  async setBlob({ hash, bytes }: Pick<ResultRecord, 'hash' | 'bytes'>, value: unknown): Promise<void> {
    if (hash === hashOfUndefined) return
    const key = `blob:${hash}`
    if (bytes > worthALook && (await this.blobs.has(key))) return
    await this.blobs.set(key, value, noEnd)
  }

  /** Reads results, and compares each with its hash. A damaged blob is removed. */
  async getBlobs(hashes: readonly string[]): Promise<Blob[]> {
    const values = await inBatches(hashes, (some) => this.blobs.getMany(some.map((hash) => `blob:${hash}`)))
    return await Promise.all(hashes.map((hash, index) => this.#checked(hash, values[index])))
  }

  async getBlob(hash: string): Promise<Blob> {
    if (hash === hashOfUndefined) return { state: 'found', value: undefined }
    return await this.#checked(hash, await this.blobs.get(`blob:${hash}`))
  }

  /** Resolves to whether each blob is there, in the order of the hashes. Damage is not noticed. */
  async hasBlobs(hashes: readonly string[]): Promise<boolean[]> {
    const found = await inBatches(hashes, (some) => this.blobs.hasMany(some.map((hash) => `blob:${hash}`)))
    return found.map((one, index) => one || hashes[index] === hashOfUndefined)
  }

  /** Stores the hashes of the results of a map under their own hash. */
  async setList(hash: string, hashes: readonly string[]): Promise<void> {
    await this.blobs.set(`list:${hash}`, hashes.join(''), noEnd)
  }

  /** Resolves to the hashes of a list; a damaged list is removed. */
  async getList(hash: string): Promise<{ readonly state: BlobState; readonly hashes: readonly string[] }> {
    const text = await this.blobs.get(`list:${hash}`)
    if (text === undefined) return { state: 'absent', hashes: [] }
    const hashes = typeof text === 'string' ? split(text) : []
    if (typeof text === 'string' && listHash(hashes) === hash) return { state: 'found', hashes }
    await this.blobs.delete(`list:${hash}`)
    return { state: 'damaged', hashes: [] }
  }

  async hasList(hash: string): Promise<boolean> {
    return await this.blobs.has(`list:${hash}`)
  }

  async clear(): Promise<void> {
    await this.meta.clear()
    if (this.blobs !== this.meta) await this.blobs.clear()
  }

  async #checked(hash: string, value: unknown): Promise<Blob> {
    if (hash === hashOfUndefined) return { state: 'found', value: undefined }
    if (value === undefined) return absent
    if (isHashOf(hash, value)) return { state: 'found', value }
    await this.blobs.delete(`blob:${hash}`)
    return damaged
  }
}

/** The hash of a list of hashes. It differs from that of every value: no canonical text begins like this. */
export function listHash(hashes: readonly string[]): string {
  return hashText(`list:${hashes.join('')}`)
}

function isHashOf(hash: string, value: unknown): boolean {
  try {
    return hashValue(value, () => 'a stored result').hash === hash
  } catch {
    // A value without a hash is not the result.
    return false
  }
}

function split(text: string): string[] {
  return Array.from({ length: text.length / hashLength }, (_, index) =>
    text.slice(index * hashLength, (index + 1) * hashLength),
  )
}

async function inBatches<Key, Value>(
  keys: readonly Key[],
  read: (some: readonly Key[]) => Promise<readonly Value[]>,
): Promise<Value[]> {
  const values: Value[] = []
  for (let start = 0; start < keys.length; start += batchSize) {
    // Awaited one by one, so that a long list does not hold all its requests in memory.
    for (const value of await read(keys.slice(start, start + batchSize))) values.push(value)
  }
  return values
}
