import { crc32 } from 'node:zlib'
import { type Item, isRecordKey } from '@cache/core/backend'
import type { NewIndexRow } from '../index/index-rows.ts'
import { keyText } from '../index/key-text.ts'
import { kinds } from '../index/schema.ts'

/** Bytes of an item besides its key and encoded value, as measured: its row and its index entries. */
const bytesPerItem = 128

const noTags: readonly string[] = []

/** An item, its encoded bytes and its size for the limits. */
export interface EncodedItem {
  readonly item: Item
  readonly text: string
  readonly frame: Uint8Array
  readonly bytes: number
}

export function encodedItem(item: Item, frame: Uint8Array): EncodedItem {
  const text = keyText(item.key)
  return { item, text, frame, bytes: bytesPerItem + Buffer.byteLength(text) + frame.length }
}

/** The checksum of the frame and the key. It also detects an index that leads to the row of another key. */
export function checksum(text: string, frame: Uint8Array): number {
  return crc32(frame, hashOf(text))
}

/** FNV-1a over UTF-16 units (Fowler, Noll and Vo). For a short key it is cheaper than a call of `crc32`. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** The row of an item. With `file`, the frame is in that value file. */
export function newRow({ item, text, frame, bytes }: EncodedItem, now: number, file: string | undefined): NewIndexRow {
  return {
    text,
    version: item.version,
    kind: kindOf(item),
    isInternal: isRecordKey(item.key),
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

function kindOf(item: Item): number {
  if (item.value === undefined) return kinds.placeholder
  return isRecordKey(item.key) ? kinds.internal : kinds.value
}

/** The reason in an error when `agrees` is false. */
export const columnsDiffer = 'its columns differ from its value'

/** Whether the columns of the row have the version and the expiry time of the item. */
export function agrees(item: Item, row: { readonly version: string; readonly expires_at: number | null }): boolean {
  return item.version === row.version && (item.expiresAt ?? null) === row.expires_at
}

export function isExpired(row: { readonly expires_at: number | null }, now: number): boolean {
  return row.expires_at !== null && row.expires_at <= now
}
