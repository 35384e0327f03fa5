import { settleAll } from '@cache/core/backend'
import { isSplitSlot } from '../cluster/is-split-slot.ts'
import { keySlot } from '../cluster/key-slot.ts'

/** The most keys in one command or script. The server does nothing else while it runs. */
const mostKeysPerGroup = 512

type BackendKey = string | Buffer

/** The reply to the command of one group. */
export interface GroupReply<Reply> {
  /** The positions of its keys in the list. */
  readonly indexes: readonly number[]
  readonly reply: Reply
}

/** Groups keys that may share a command: on a Cluster the keys of one slot, on a single server all keys. */
export class KeyGroups {
  readonly #isCluster: boolean

  constructor(isCluster: boolean) {
    this.#isCluster = isCluster
  }

  /** The positions of the keys of each group. */
  of(keys: readonly BackendKey[], most: number = mostKeysPerGroup): number[][] {
    if (!this.#isCluster) return slices(keys, most)
    const groups = new Map<number, number[]>()
    for (const [index, key] of keys.entries()) {
      const slot = keySlot(key)
      const group = groups.get(slot)
      if (group === undefined) groups.set(slot, [index])
      else group.push(index)
    }
    return [...groups.values()].flatMap((group) =>
      slices(group, most).map((part) => part.map((at) => group[at] as number)),
    )
  }

  /** Runs a command for each group. While a slot moves, its keys can lie on two nodes: each key then has a command. */
  async run<Reply>(
    keys: readonly BackendKey[],
    command: (keys: readonly BackendKey[]) => Promise<Reply>,
    most: number = mostKeysPerGroup,
  ): Promise<GroupReply<Reply>[]> {
    const replies = this.of(keys, most).map((indexes) => this.#runOne(keys, indexes, command))
    return (await settleAll(replies)).flat()
  }

  async #runOne<Reply>(
    keys: readonly BackendKey[],
    indexes: readonly number[],
    command: (keys: readonly BackendKey[]) => Promise<Reply>,
  ): Promise<GroupReply<Reply>[]> {
    try {
      return [{ indexes, reply: await command(indexes.map((index) => keys[index] as BackendKey)) }]
    } catch (error) {
      if (indexes.length === 1 || !isSplitSlot(error)) throw error
      const single = indexes.map(async (index) => ({
        indexes: [index],
        reply: await command([keys[index] as BackendKey]),
      }))
      return await settleAll(single)
    }
  }
}

function slices(values: readonly unknown[], size: number): number[][] {
  const parts: number[][] = []
  for (let start = 0; start < values.length; start += size) {
    parts.push(Array.from({ length: Math.min(size, values.length - start) }, (_, index) => start + index))
  }
  return parts
}
