import { settleAll } from '@cache/core/backend'
import { isSplitSlot } from '../cluster/is-split-slot.ts'
import { keySlot } from '../cluster/key-slot.ts'

/** Keys in one command or script at most: the server does nothing else meanwhile. */
const mostKeys = 512

type Key = string | Buffer

/** What one command replied. */
export interface GroupReply<Reply> {
  /** Where its keys stand in the list. */
  readonly indexes: readonly number[]
  readonly reply: Reply
}

/** Which keys may share a command: on a Cluster those of one slot, and all of a single server. */
export class KeyGroups {
  readonly #isCluster: boolean

  constructor(isCluster: boolean) {
    this.#isCluster = isCluster
  }

  /** The positions of the keys of each group. */
  of(keys: readonly Key[], most: number = mostKeys): number[][] {
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

  /** Carries a command out for each group; key by key where the keys of a slot lie on two nodes, because it moves. */
  async run<Reply>(
    keys: readonly Key[],
    command: (keys: readonly Key[]) => Promise<Reply>,
    most: number = mostKeys,
  ): Promise<GroupReply<Reply>[]> {
    const done = this.of(keys, most).map((indexes) => this.#runOne(keys, indexes, command))
    return (await settleAll(done)).flat()
  }

  async #runOne<Reply>(
    keys: readonly Key[],
    indexes: readonly number[],
    command: (keys: readonly Key[]) => Promise<Reply>,
  ): Promise<GroupReply<Reply>[]> {
    try {
      return [{ indexes, reply: await command(indexes.map((index) => keys[index] as Key)) }]
    } catch (error) {
      if (indexes.length === 1 || !isSplitSlot(error)) throw error
      const each = indexes.map(async (index) => ({ indexes: [index], reply: await command([keys[index] as Key]) }))
      return await settleAll(each)
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
