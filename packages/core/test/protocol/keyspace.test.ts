import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { createRandom } from '../../src/conformance/samples/random.ts'
import { isRecordKey, itemKey, itemPrefix, keyOfItem, namespacePath, recordKey } from '../../src/protocol/keyspace.ts'

const pieces = ['a', 'b', ':', '::', '/', '%', '%3A', '%2F', '@', '@@', '#', '!', '~', '']

describe('the key space', () => {
  it('R35 the namespace a with the key b::c never meets the namespace a::b with the key c', () => {
    const stored = [itemKey(namespacePath(['a']), 'b::c'), itemKey(namespacePath(['a::b']), 'c')]
    assert.notEqual(stored[0], stored[1])
    assert.notEqual(itemKey(namespacePath(['a', 'b']), 'c'), itemKey(namespacePath(['a/b']), 'c'))
  })

  it('R35 no two names of items or records are stored under one key, and every item finds its way back', () => {
    const seed = 35
    const random = createRandom(seed)
    const text = (): string => Array.from({ length: random.below(4) }, () => random.pick(pieces)).join('')
    const owners = new Map<string, string>()
    for (let step = 0; step < 20_000; step += 1) {
      const segments = Array.from({ length: random.below(3) }, text).filter((segment) => segment !== '')
      const path = namespacePath(segments)
      const key = text()
      const kind = random.pick(['item', '#', '!', '~'] as const)
      const stored = kind === 'item' ? itemKey(path, key) : recordKey(kind, path, key)
      const owner = JSON.stringify([kind, segments, key])
      assert.equal(owners.get(stored) ?? owner, owner, `seed ${seed}: '${stored}' has two owners`)
      owners.set(stored, owner)
      assert.equal(isRecordKey(stored), kind !== 'item', `seed ${seed}: isRecordKey('${stored}')`)
      if (kind !== 'item') continue
      assert.equal(keyOfItem(path, stored), key, `seed ${seed}: the key of '${stored}'`)
      assert(stored.startsWith(itemPrefix(path)), `seed ${seed}: the prefix of '${stored}'`)
    }
  })

  it('R35 the prefix of a namespace takes in the namespaces below it and no others', () => {
    const prefix = itemPrefix(namespacePath(['a']))
    for (const below of [['a'], ['a', 'b']]) assert(itemKey(namespacePath(below), 'k').startsWith(prefix), `${below}`)
    for (const beside of [['ab'], ['b', 'a'], ['a:'], ['a%2Fb'], ['A']]) {
      assert(!itemKey(namespacePath(beside), 'k').startsWith(prefix), `${beside}`)
    }
    assert(!itemKey('', 'a/:k').startsWith(prefix))
    assert(!itemKey('', '@/a/:k').startsWith(prefix))
  })
})
