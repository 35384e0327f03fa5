import { crc32 } from 'node:zlib'
import { type Item, isRecordKey } from '@cache/core/backend'
import type { NewRow } from '../index/item-index.ts'
import { keyText } from '../index/key-text.ts'
import { kinds } from '../index/schema.ts'

/** What an item costs besides its key and its encoded value: its row and its entries in the indexes, as measured. */
export const bytesPerItem = 128

const noTags: readonly string[] = []

/** An item on its way into the index. */
export interface StoredItem {
  readonly item: Item
  readonly text: string
  readonly frame: Uint8Array
  readonly bytes: number
}

export function storedItem(item: Item, frame: Uint8Array): StoredItem {
  const text = keyText(item.key)
  return { item, text, frame, bytes: bytesPerItem + Buffer.byteLength(text) + frame.length }
}

/** Covers the key too, so that an index which points to another key's row is found out. */
export function checksum(text: string, frame: Uint8Array): number {
  return crc32(frame, hashOf(text))
}

/** FNV-1a by UTF-16 units (Fowler, Noll and Vo): a call of `crc32` costs more than it does for a key. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** The row of an item; its frame is in the value file `file` where one is given. */
export function newRow({ item, text, frame, bytes }: StoredItem, now: number, file: string | undefined): NewRow {
  return {
    text,
    version: item.version,
    kind: kindOf(item),
    record: isRecordKey(item.key),
    bytes,
    storedAt: now,
    expiresAt: item.expiresAt,
    tags: item.tags === undefined ? noTags : Object.keys(item.tags),
    streamed: false,
    checksum: checksum(text, frame),
    file,
    frame: file === undefined ? frame : undefined,
  }
}

export function kindOf(item: Item): number {
  if (item.value === undefined) return kinds.placeholder
  return isRecordKey(item.key) ? kinds.record : kinds.value
}

export const columnsDiffer = 'its columns say something else than its value'

/** Whether the columns say what the item says. */
export function agrees(item: Item, row: { readonly version: string; readonly expires_at: number | null }): boolean {
  return item.version === row.version && (item.expiresAt ?? null) === row.expires_at
}

export function isExpired(row: { readonly expires_at: number | null }, now: number): boolean {
  return row.expires_at !== null && row.expires_at <= now
}
