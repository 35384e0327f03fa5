import assert from 'node:assert/strict'
import type { Item } from '../../protocol/item.ts'
import { difference } from './difference.ts'
import { show } from './show.ts'

const members = ['key', 'value', 'version', 'createdAt', 'staleAt', 'expiresAt', 'tags', 'cost'] as const

/** Fails unless the item has exactly the expected members; a member that was not given must be absent. */
export function assertItem(found: Item | undefined, expected: Item): void {
  const call = `get(${show(expected.key)})`
  assert(found !== undefined, `${call} found nothing`)
  for (const name of Reflect.ownKeys(found)) {
    const isMember =
      (members as readonly unknown[]).includes(name) || !Object.prototype.propertyIsEnumerable.call(found, name)
    assert(isMember, `${call}: an item must not have a member '${String(name)}'`)
  }
  if (found.key !== expected.key) assert.fail(`${call} found the item of ${show(found.key)}`)
  for (const name of members) {
    if (name !== 'tags' && Object.hasOwn(found, name) !== Object.hasOwn(expected, name)) {
      assert.fail(`${call}: the item must ${Object.hasOwn(expected, name) ? '' : 'not '}have a member '${name}'`)
    }
    // The order of the tags, and the prototype of the object that holds them, do not matter.
    const [one, other] = name === 'tags' ? [sorted(found.tags), sorted(expected.tags)] : [found[name], expected[name]]
    const fault = difference(one, other, name)
    if (fault !== undefined) assert.fail(`${call}: ${fault}`)
  }
}

function sorted(tags: Item['tags']): unknown {
  return tags && Object.fromEntries(Object.entries(tags).sort())
}
