import type { Redis } from 'ioredis'
import { errorWithCode } from '../errors.ts'
import type { BackendKeys } from '../wire/backend-keys.ts'
import { isBytes, isPage, type ReplyShape } from '../wire/reply-shapes.ts'
import type { Argument } from '../wire/write-command.ts'

/** Keys that the server examines in one step: about a tenth of a millisecond. */
const stepSize = 1000
/** Passes over a Cluster whose slots keep moving. */
const mostPasses = 3

/** The members of a connection that a scan uses. */
export interface MasterConnection {
  readonly isCluster: boolean
  masters(): Promise<readonly (Redis | undefined)[]>
  sendTo(master: Redis | undefined, name: string, args: readonly Argument[], shape: ReplyShape): Promise<unknown>
}

/** The keys that one step of a scan found. */
export interface KeyPage {
  readonly keys: readonly string[]
  /** The same keys as Redis has them. */
  readonly backendKeys: readonly Buffer[]
}

/** Lists the keys of one backend on every master with SCAN, in steps between which the server does other work. */
export class KeyScan {
  readonly #connection: MasterConnection
  readonly #keys: BackendKeys

  constructor(connection: MasterConnection, keys: BackendKeys) {
    this.#connection = connection
    this.#keys = keys
  }

  /**
   * Every key that starts with `prefix` and exists from the beginning to the end of the scan, at least once (RACES
   * R42).
   *
   * A key of a Cluster can move to a master whose scan is over, from a master whose scan has not reached the key. So a
   * scan during which slots moved is repeated: a slot moves in one direction, and a missed key has arrived by then.
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
      const reply = await this.#connection.sendTo(master, 'scan', [cursor, 'MATCH', pattern, 'COUNT', stepSize], isPage)
      const [next, found] = reply as [Buffer, Buffer[]]
      const following = next.toString('latin1')
      // Redis never repeats a cursor at once. The scan would not end.
      if (following === cursor && cursor !== '0') {
        throw errorWithCode('UNAVAILABLE', 'malformed reply: SCAN replied with the same cursor')
      }
      cursor = following
      if (found.length > 0) yield this.#page(found, prefix)
    } while (cursor !== '0')
  }

  #page(found: readonly Buffer[], prefix: string): KeyPage {
    const keys: string[] = []
    const backendKeys: Buffer[] = []
    for (const backendKey of found) {
      const key = this.#keys.toKey(backendKey)
      if (key === undefined || !key.startsWith(prefix)) continue
      keys.push(key)
      backendKeys.push(backendKey)
    }
    return { keys, backendKeys }
  }

  /** The slots of each master and the slots that are moving, as each master reports its own. */
  async #topology(masters: readonly (Redis | undefined)[]): Promise<string> {
    if (!this.#connection.isCluster) return ''
    const own = masters.map(async (master) => {
      const nodes = String(await this.#connection.sendTo(master, 'cluster', ['nodes'], isBytes))
      const line = nodes.split('\n').find((row) => row.includes('myself')) ?? ''
      const [id, , , , , , , , ...slots] = line.split(' ')
      return `${id} ${slots.join(' ')}`
    })
    return (await Promise.all(own)).sort().join('\n')
  }
}

/** A moving slot shows as `[slot->-node]` at its old node and as `[slot-<-node]` at its new node. */
function isMoving(topology: string): boolean {
  return topology.includes('[')
}
