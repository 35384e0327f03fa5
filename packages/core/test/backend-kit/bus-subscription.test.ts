import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { type BusListener, BusSubscription, type SourceEvents } from '../../src/backend-kit/index.ts'
import { createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { type Deferred, deferred, settlesNow } from './deferred.ts'

interface Opening {
  readonly events: SourceEvents
  readonly opened: Deferred<() => Promise<void>>
  isClosed: boolean
}

/** A source whose openings the test settles one by one. */
class Rig {
  readonly openings: Opening[] = []
  readonly clock: MovableClock = createMovableClock(0)
  readonly bus: BusSubscription = new BusSubscription((events) => {
    const opening: Opening = { events, opened: deferred(), isClosed: false }
    this.openings.push(opening)
    return opening.opened.promise
  }, this.clock)

  /** Lets an opening succeed, and whatever follows from it run. */
  async open(index: number): Promise<void> {
    const opening = this.at(index)
    opening.opened.resolve(async () => {
      opening.isClosed = true
    })
    await turn()
  }

  async fail(index: number): Promise<void> {
    this.at(index).opened.reject(new Error(`no source ${index}`))
    await turn()
  }

  at(index: number): Opening {
    const opening = this.openings[index]
    assert(opening, `there is no opening ${index}`)
    return opening
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function listener(): BusListener & { readonly heard: string[] } {
  const heard: string[] = []
  return {
    heard,
    message: ({ kind }) => heard.push(kind),
    disconnected: () => heard.push('disconnected'),
    connected: () => heard.push('connected'),
    error: ({ message }) => heard.push(message),
  }
}

const message = { kind: 'delete', source: 's', keys: ['k'] } as const

describe('the subscription of a bus', () => {
  it('opens one source for all listeners, and closes it after the last', async () => {
    const rig = new Rig()
    const [one, two] = [listener(), listener()]
    const adding = [rig.bus.add(one), rig.bus.add(two)]
    await rig.open(0)
    const [removeOne, removeTwo] = await Promise.all(adding)
    assert.equal(rig.openings.length, 1)
    rig.at(0).events.message(message)
    await removeOne?.()
    rig.at(0).events.error(new Error('odd'))
    assert.equal(rig.at(0).isClosed, false)
    await removeTwo?.()
    assert.equal(rig.at(0).isClosed, true)
    assert.deepEqual([one.heard, two.heard], [['delete'], ['delete', 'odd']])
  })

  it('rejects for a listener whose source cannot be opened, and forgets it', async () => {
    const rig = new Rig()
    const one = listener()
    const adding = rig.bus.add(one)
    const rejected = assert.rejects(adding, /^Error: no source 0$/)
    await rig.fail(0)
    await rejected
    assert.equal(rig.clock.timers, 0)
  })

  it('opens another source after a loss, with growing delays, and informs its listeners of both', async () => {
    const rig = new Rig()
    const one = listener()
    const adding = rig.bus.add(one)
    await rig.open(0)
    await adding
    rig.at(0).events.lost()
    rig.at(0).events.message(message)
    rig.clock.advance(49)
    assert.equal(rig.openings.length, 1)
    rig.clock.advance(1)
    await rig.fail(1)
    rig.clock.advance(99)
    assert.equal(rig.openings.length, 2)
    rig.clock.advance(1)
    await rig.open(2)
    rig.at(2).events.message(message)
    assert.equal(rig.at(0).isClosed, true)
    assert.deepEqual(one.heard, ['disconnected', 'connected', 'delete'])
  })

  it('informs the listeners of a lost source when a new listener opens the next one', async () => {
    const rig = new Rig()
    const [one, two] = [listener(), listener()]
    const addingOne = rig.bus.add(one)
    await rig.open(0)
    await addingOne
    rig.at(0).events.lost()
    const addingTwo = rig.bus.add(two)
    await rig.open(1)
    await addingTwo
    rig.at(1).events.message(message)
    assert.deepEqual(one.heard, ['disconnected', 'connected', 'delete'])
    assert.deepEqual(two.heard, ['delete'])
    rig.clock.advance(10_000)
    assert.equal(rig.openings.length, 2)
  })

  it('goes on trying for its listeners when the attempt of a new listener fails', async () => {
    const rig = new Rig()
    const one = listener()
    const adding = rig.bus.add(one)
    await rig.open(0)
    await adding
    rig.at(0).events.lost()
    const rejected = assert.rejects(rig.bus.add(listener()), /^Error: no source 1$/)
    await rig.fail(1)
    await rejected
    rig.clock.advance(50)
    await rig.open(2)
    assert.deepEqual(one.heard, ['disconnected', 'connected'])
  })

  it('opens a source of its own for a listener that joins the attempt of listeners that are gone', async () => {
    const rig = new Rig()
    const adding = rig.bus.add(listener())
    await rig.open(0)
    const remove = await adding
    rig.at(0).events.lost()
    rig.clock.advance(50)
    const removing = remove()
    const two = listener()
    const addingTwo = rig.bus.add(two)
    await rig.open(1)
    await removing
    assert.equal(rig.at(1).isClosed, true)
    assert.equal(await settlesNow(addingTwo), false)
    await rig.open(2)
    await addingTwo
    rig.at(2).events.message(message)
    assert.deepEqual(two.heard, ['delete'])
  })

  it('opens a source of its own for a listener that is added while the last one is closed', async () => {
    const rig = new Rig()
    const adding = rig.bus.add(listener())
    await rig.open(0)
    const removing = (await adding)()
    const two = listener()
    const addingTwo = rig.bus.add(two)
    await removing
    await rig.open(1)
    await addingTwo
    rig.at(1).events.message(message)
    assert.deepEqual(two.heard, ['delete'])
    assert.deepEqual([rig.at(0).isClosed, rig.at(1).isClosed], [true, false])
  })

  it('rejects for a listener whose attempt is stopped, and closes the source that opens after that', async () => {
    const rig = new Rig()
    const rejected = assert.rejects(rig.bus.add(listener()), /^Error: Connection is closed\.$/)
    const stopping = rig.bus.stop()
    await rig.open(0)
    await Promise.all([stopping, rejected])
    assert.equal(rig.at(0).isClosed, true)
    assert.equal(rig.openings.length, 1)
  })

  it('ends its attempts when it is stopped after a loss', async () => {
    const rig = new Rig()
    const adding = rig.bus.add(listener())
    await rig.open(0)
    await adding
    rig.at(0).events.lost()
    await rig.bus.stop()
    rig.clock.advance(10_000)
    assert.deepEqual([rig.openings.length, rig.clock.timers], [1, 0])
  })
})
