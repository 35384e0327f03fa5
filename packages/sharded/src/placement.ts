/**
 * Which shard holds a key: rendezvous hashing, also called highest random weight (Thaler, Ravishankar, "A name-based mapping scheme for
 * rendezvous", 1996). Every shard has a weight for every key, and the highest holds it: a shard that is added takes its share of
 * the keys from all others, one that is removed leaves its keys to all others, and no other key moves.
 *
 * The names of the shards decide, not their order. All processes must compute the same: changing anything here empties caches.
 */
export class Placement {
  readonly #seeds: readonly number[]

  /** `names` in any order; places are counted in it. */
  constructor(names: readonly string[]) {
    this.#seeds = names.map(hash)
  }

  /** The place of the shard that holds the key. */
  of(key: string): number {
    const own = hash(key)
    let place = 0
    let highest = -1
    for (const [index, seed] of this.#seeds.entries()) {
      const weight = mixed(own ^ seed)
      if (weight <= highest) continue
      place = index
      highest = weight
    }
    return place
  }
}

/** 32 bits of a text: FNV-1a over its UTF-16 code units (Fowler, Noll, Vo), mixed. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    state = Math.imul(state ^ (unit & 0xff), 0x01000193)
    state = Math.imul(state ^ (unit >>> 8), 0x01000193)
  }
  return mixed(state)
}

/** Spreads every bit over all: the finalizer of MurmurHash3 (Appleby). A whole number of 0 or more. */
function mixed(bits: number): number {
  let state = bits
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}
