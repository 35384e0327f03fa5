import assert from 'node:assert/strict'
import type { Item } from '../../protocol/item.ts'
import { show } from './show.ts'

const members = ['key', 'value', 'version', 'createdAt', 'staleAt', 'expiresAt', 'tags', 'cost']

/** Fails unless the item has exactly the expected members; a member that was not given must be absent. */
export function assertItem(found: Item | undefined, expected: Item): void {
  assert(found !== undefined, `get(${show(expected.key)}) found nothing`)
  assert.deepEqual(plain(found), plain(expected))
}

function plain(item: Item): Record<string, unknown> {
  for (const name of Object.keys(item)) assert(members.includes(name), `an item must not have a member '${name}'`)
  return { ...item, tags: item.tags && Object.fromEntries(Object.entries(item.tags).sort()) }
}
