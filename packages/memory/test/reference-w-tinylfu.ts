/**
 * The hits of W-TinyLFU as its paper describes it, in the simplest form: a window of 1 %, a segmented main part of which
 * 80 % are protected, and counts up to 15 that never collide. Additions age the counts at ten times the size.
 */
export function referenceWTinyLfu(keys: readonly number[], size: number): number {
  const windowSize = Math.max(1, Math.floor(size / 100))
  const protectedSize = Math.floor(0.8 * (size - windowSize))
  // The first member of a set is the least recently used.
  const window = new Set<number>()
  const probation = new Set<number>()
  const guarded = new Set<number>()
  let counts = new Map<number, number>()
  let additions = 0
  let hits = 0
  const count = (key: number): void => {
    const before = counts.get(key) ?? 0
    if (before === 15) return
    counts.set(key, before + 1)
    additions += 1
    if (additions < 10 * size) return
    counts = new Map([...counts].map(([one, times]) => [one, times >> 1]))
    additions >>= 1
  }
  for (const key of keys) {
    count(key)
    if (window.delete(key)) window.add(key)
    else if (guarded.delete(key)) guarded.add(key)
    else if (probation.delete(key)) {
      guarded.add(key)
      if (guarded.size > protectedSize) moveFirst(guarded, probation)
    } else {
      hits -= 1
      window.add(key)
      if (window.size > windowSize) {
        const candidate = moveFirst(window, probation)
        if (window.size + probation.size + guarded.size > size) {
          const [victim] = probation.size > 1 ? probation : guarded
          const admitted = (counts.get(candidate) ?? 0) > (counts.get(victim as number) ?? 0)
          if (!admitted) probation.delete(candidate)
          else if (!probation.delete(victim as number)) guarded.delete(victim as number)
        }
      }
    }
    hits += 1
  }
  return hits
}

function moveFirst(from: Set<number>, to: Set<number>): number {
  const [first] = from as Set<number> & { [Symbol.iterator](): Iterator<number, undefined> }
  from.delete(first as number)
  to.add(first as number)
  return first as number
}
