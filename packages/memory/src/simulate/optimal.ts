import type { RequestLog } from './request-log.ts'

const neverUsed = 2 ** 31 - 1

/**
 * The hits of the policy that knows the future and evicts the entry with the most distant next use. No policy that stores
 * every miss has more hits. Laszlo Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer", IBM Systems
 * Journal 5(2), 1966. With weights the rule is the same but only near the optimum, which takes too long to compute.
 */
export function optimalHits(log: RequestLog, size: number, progress: (done: number) => void): number {
  const { ids, weights } = log
  const next = nextUses(log)
  /** The next use of each key in the cache; -1 for the other keys. */
  const held = new Int32Array(log.distinct).fill(-1)
  const heldWeight = weights === undefined ? undefined : new Float64Array(log.distinct)
  const furthest = new FurthestFirst()
  let hits = 0
  let used = 0
  for (let i = 0; i < ids.length; i += 1) {
    progress(i)
    const id = ids[i] as number
    if ((held[id] as number) >= 0) {
      hits += 1
      held[id] = next[i] as number
      furthest.add(next[i] as number, id)
      continue
    }
    const weight = weights === undefined ? 1 : (weights[i] as number)
    if (weight > size) continue
    while (used + weight > size) {
      const [at, victim] = furthest.take()
      // The heap keeps entries of past uses; this skips them.
      if (held[victim] !== at) continue
      held[victim] = -1
      used -= heldWeight === undefined ? 1 : (heldWeight[victim] as number)
    }
    used += weight
    held[id] = next[i] as number
    if (heldWeight !== undefined) heldWeight[id] = weight
    furthest.add(next[i] as number, id)
  }
  return hits
}

/** The index of the next request for the same key, for each request. */
function nextUses(log: RequestLog): Int32Array {
  const next = new Int32Array(log.ids.length)
  const upcoming = new Int32Array(log.distinct).fill(neverUsed)
  for (let i = log.ids.length - 1; i >= 0; i -= 1) {
    const id = log.ids[i] as number
    next[i] = upcoming[id] as number
    upcoming[id] = i
  }
  return next
}

/** A binary heap of key ids. The id with the most distant next use is at the top. */
class FurthestFirst {
  readonly #uses: number[] = []
  readonly #ids: number[] = []

  add(use: number, id: number): void {
    const uses = this.#uses
    const ids = this.#ids
    let at = uses.length
    uses.push(use)
    ids.push(id)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if ((uses[parent] as number) >= use) break
      uses[at] = uses[parent] as number
      ids[at] = ids[parent] as number
      at = parent
    }
    uses[at] = use
    ids[at] = id
  }

  take(): [number, number] {
    const uses = this.#uses
    const ids = this.#ids
    const top: [number, number] = [uses[0] as number, ids[0] as number]
    const use = uses.pop() as number
    const id = ids.pop() as number
    const length = uses.length
    if (length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && (uses[child + 1] as number) > (uses[child] as number)) child += 1
      if ((uses[child] as number) <= use) break
      uses[at] = uses[child] as number
      ids[at] = ids[child] as number
      at = child
    }
    uses[at] = use
    ids[at] = id
    return top
  }
}
