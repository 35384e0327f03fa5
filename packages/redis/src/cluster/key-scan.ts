import type { Redis } from 'ioredis'
import type { BackendKeys } from '../wire/backend-keys.ts'
import type { Argument } from '../wire/write-command.ts'

/** Keys that the server looks at in one step: about a tenth of a millisecond. */
const stepSize = 1000
/** Passes over a Cluster whose slots move meanwhile. */
const mostPasses = 3

/** What a scan needs of a connection. */
export interface MasterConnection {
  readonly isCluster: boolean
  masters(): Promise<readonly (Redis | undefined)[]>
  sendTo(master: Redis | undefined, name: string, args: readonly Argument[]): Promise<unknown>
}

/** One step of a scan. */
export interface KeyPage {
  /** Keys of the cache. */
  readonly keys: readonly string[]
  /** The same keys as Redis has them. */
  readonly backendKeys: readonly Buffer[]
}

/** Walks the keys of one backend on every master, in steps that do not hold the server up (SCAN, never KEYS). */
export class KeyScan {
  readonly #connection: MasterConnection
  readonly #keys: BackendKeys

  constructor(connection: MasterConnection, keys: BackendKeys) {
    this.#connection = connection
    this.#keys = keys
  }

  /**
   * Every key that starts with `prefix` and is there from the beginning to the end, at least once (RACES R42).
   *
   * A key of a Cluster that moves from one master to another is seen by neither scan when it leaves the one before it is
   * scanned and comes to the other after. So when slots were moving, everything is scanned once more: a slot moves one
   * way, and what was missed has arrived by then.
   */
  async *pages(prefix: string): AsyncGenerator<KeyPage> {
    for (let pass = 0; pass < mostPasses; pass++) {
      const masters = await this.#connection.masters()
      const before = await this.#topology(masters)
      for (const master of masters) yield* this.#pagesOf(master, prefix)
      if (!this.#connection.isCluster) return
      const after = await this.#topology(await this.#connection.masters())
      if (after === before && !isMoving(after)) return
    }
  }

  async *#pagesOf(master: Redis | undefined, prefix: string): AsyncGenerator<KeyPage> {
    const pattern = this.#keys.scanPattern(prefix)
    let cursor = '0'
    do {
      const reply = await this.#connection.sendTo(master, 'scan', [cursor, 'MATCH', pattern, 'COUNT', stepSize])
      const [next, found] = reply as [Buffer, Buffer[]]
      cursor = next.toString('latin1')
      if (found.length > 0) yield this.#page(found, prefix)
    } while (cursor !== '0')
  }

  #page(found: readonly Buffer[], prefix: string): KeyPage {
    const keys: string[] = []
    const backendKeys: Buffer[] = []
    for (const bytes of found) {
      const key = this.#keys.toKey(bytes)
      if (key === undefined || !key.startsWith(prefix)) continue
      keys.push(key)
      backendKeys.push(bytes)
    }
    return { keys, backendKeys }
  }

  /** Which master has which slots, and which are on their way, as each master says of itself. */
  async #topology(masters: readonly (Redis | undefined)[]): Promise<string> {
    if (!this.#connection.isCluster) return ''
    const own = masters.map(async (master) => {
      const nodes = String(await this.#connection.sendTo(master, 'cluster', ['nodes']))
      const line = nodes.split('\n').find((row) => row.includes('myself')) ?? ''
      const [id, , , , , , , , ...slots] = line.split(' ')
      return `${id} ${slots.join(' ')}`
    })
    return (await Promise.all(own)).sort().join('\n')
  }
}

/** Slots on their way show as `[slot->-node]` at the one end and `[slot-<-node]` at the other. */
function isMoving(topology: string): boolean {
  return topology.includes('[')
}
