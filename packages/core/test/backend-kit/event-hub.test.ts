import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { type BackendEvent, EventHub } from '../../src/backend-kit/index.ts'

const expire: BackendEvent = { type: 'expire', key: 'k' }
const evict: BackendEvent = { type: 'evict', key: 'k', reason: 'entries' }

describe('the listeners of a backend', () => {
  it('receive the events of their types, or all', () => {
    const hub = new EventHub()
    const [some, all]: [BackendEvent[], BackendEvent[]] = [[], []]
    hub.listen((event) => some.push(event), ['evict'])
    assert.deepEqual([hub.active, hub.wants('evict'), hub.wants('expire')], [true, true, false])
    hub.listen((event) => all.push(event))
    assert.equal(hub.wants('expire'), true)
    for (const event of [expire, evict]) hub.emit(event)
    assert.deepEqual([some, all], [[evict], [expire, evict]])
  })

  it('are removed one by one, also when the same function listens twice', () => {
    const hub = new EventHub()
    const events: BackendEvent[] = []
    const listener = (event: BackendEvent): number => events.push(event)
    const [stopOne, stopTwo] = [hub.listen(listener), hub.listen(listener)]
    stopOne()
    stopOne()
    hub.emit(expire)
    assert.equal(events.length, 1)
    stopTwo()
    hub.emit(expire)
    assert.deepEqual([events.length, hub.active, hub.wants('expire')], [1, false, false])
  })
})
