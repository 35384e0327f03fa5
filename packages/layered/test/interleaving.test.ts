import type { Bus, BusListener, BusMessage, CacheBackend, Item } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { LayeredBackend } from '../src/index.ts'
import { Rig, settled } from './rig.ts'

/** Numbers from a seed (mulberry32). */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

type Random = ReturnType<typeof createRandom>

/** Every step that anybody takes waits here, and the seed says who goes next. */
class Turns {
  readonly #random: Random
  readonly #waiting: (() => void)[] = []

  constructor(random: Random) {
    this.#random = random
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  async playOut(): Promise<void> {
    for (;;) {
      await settled()
      if (this.#waiting.length === 0) return
      const [next] = this.#waiting.splice(this.#random(this.#waiting.length), 1)
      next?.()
    }
  }
}

/** A store on the other side of a network: a call takes a while to get there, and its answer a while to come back. */
function remote(inner: CacheBackend, turns: Turns, name: string): CacheBackend {
  const call = async <Answer>(work: () => Promise<Answer>): Promise<Answer> => {
    await turns.wait()
    const answer = await work()
    await turns.wait()
    return answer
  }
  return {
    name,
    get: (key) => call(() => inner.get(key)),
    set: (item) => call(() => inner.set(item)),
    delete: (key) => call(() => inner.delete(key)),
    clear: (prefix) => call(() => inner.clear(prefix)),
    compareAndSet: (key, expected, next) =>
      call(async () => (await inner.compareAndSet?.(key, expected, next)) ?? false),
    increment: (key, delta) => call(async () => (await inner.increment?.(key, delta)) ?? 0),
  }
}

interface Subscriber {
  readonly listener: BusListener
  /** Counts the connections, so that a message of an earlier one is lost. */
  connection: number
  connected: boolean
}

/** A bus that takes its time, loses the order of messages, and loses what a disconnected subscriber would have heard. */
class SlowBus implements Bus {
  readonly name: string = 'slow'
  readonly #turns: Turns
  readonly #subscribers: Subscriber[] = []

  constructor(turns: Turns) {
    this.#turns = turns
  }

  async publish(message: BusMessage): Promise<void> {
    await this.#turns.wait()
    for (const subscriber of this.#subscribers) void this.#deliver(subscriber, message)
  }

  async subscribe(listener: BusListener): Promise<() => Promise<void>> {
    const subscriber = { listener, connection: 0, connected: true }
    this.#subscribers.push(subscriber)
    return async () => {
      this.#subscribers.splice(this.#subscribers.indexOf(subscriber), 1)
    }
  }

  async close(): Promise<void> {}

  /** Cuts one connection, and heals it a while later. */
  async cut(index: number): Promise<void> {
    const subscriber = this.#subscribers[index]
    if (subscriber === undefined || !subscriber.connected) return
    subscriber.connected = false
    subscriber.connection += 1
    subscriber.listener.disconnected()
    await this.#turns.wait()
    await this.#turns.wait()
    subscriber.connected = true
    subscriber.listener.connected()
  }

  async #deliver(subscriber: Subscriber, message: BusMessage): Promise<void> {
    const { connection, connected } = subscriber
    await this.#turns.wait()
    if (connected && connection === subscriber.connection) subscriber.listener.message(message)
  }
}

const keys = ['a:1', 'b']

interface Process {
  readonly node: LayeredBackend
  readonly nearest: CacheBackend
}

/** A client of one node: does one thing after the other, at random. */
async function client(
  rig: Rig,
  { node, nearest }: Process,
  bus: SlowBus,
  index: number,
  random: Random,
): Promise<void> {
  const pick = (): string => keys[random(keys.length)] as string
  let last: Item | undefined
  for (let step = 0; step < 4; step += 1) {
    const key = pick()
    const item = rig.item(key, step)
    switch (random(13)) {
      case 0:
      case 1:
      case 2:
      case 3:
        last = await node.get(key)
        break
      case 4:
        await node.getMany?.(keys)
        break
      case 5:
      case 6:
        await node.set(item)
        break
      case 7:
        await node.delete(key)
        break
      case 8:
        await node.compareAndSet?.(last?.key ?? key, last?.version, { ...item, key: last?.key ?? key })
        break
      case 9:
        await node.setMany?.([item, rig.item(pick(), step)])
        break
      case 10:
        await (random(2) === 0 ? node.clear('a:') : node.deleteMany?.(keys.slice(1)))
        break
      case 11:
        // Evicted.
        void nearest.delete(key)
        break
      default:
        await bus.cut(index)
    }
  }
}

async function play(seed: number): Promise<void> {
  const random = createRandom(seed)
  const rig = new Rig()
  const turns = new Turns(random)
  const bus = new SlowBus(turns)
  const far = (): CacheBackend => remote(rig.store, turns, 'far')
  const slow = (): CacheBackend => remote(rig.memory(), turns, 'near')
  const processes = [[rig.memory()], [slow()], [rig.memory(), slow()]].map((nears): Process => {
    const node = new LayeredBackend({ layers: [...nears, far()], bus, clock: rig.clock })
    return { node, nearest: nears[0] as CacheBackend }
  })
  await turns.playOut()
  const clients = processes.flatMap((process, index) => [0, 1, 2].map(() => client(rig, process, bus, index, random)))
  await turns.playOut()
  await Promise.all(clients)
  // All is quiet: what a node answers is what the authority holds, from its near layers too.
  for (const key of keys) {
    const truth = await rig.store.get(key)
    for (const [index, { node }] of processes.entries()) {
      for (const round of ['first', 'second']) {
        const reading = node.get(key)
        await turns.playOut()
        expect(await reading, `seed ${seed}: ${round} read of ${key} by node ${index}`).toEqual(truth)
      }
      const held = node.near.get(key)
      if (held !== undefined) expect(held, `seed ${seed}: near copy of ${key} by node ${index}`).toEqual(truth)
    }
  }
}

const first = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const rounds = Number(process.env.ROUNDS ?? 150)

it(`three nodes at once, whatever the order of their steps, end with what the authority holds (seeds from ${first})`, async () => {
  for (let seed = first; seed < first + rounds; seed += 1) await play(seed)
}, 60_000)
