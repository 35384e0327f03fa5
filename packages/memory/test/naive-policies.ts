/** The rules of the papers, written as plainly as possible: lists searched from end to end. Each returns the number of hits. */

export function naiveFifo(keys: readonly number[], size: number): number {
  const queue: number[] = []
  let hits = 0
  for (const key of keys) {
    if (queue.includes(key)) hits++
    else {
      if (queue.length === size) queue.shift()
      queue.push(key)
    }
  }
  return hits
}

export function naiveLru(keys: readonly number[], size: number): number {
  const queue: number[] = []
  let hits = 0
  for (const key of keys) {
    const at = queue.indexOf(key)
    if (at >= 0) {
      hits++
      queue.splice(at, 1)
    } else if (queue.length === size) queue.shift()
    queue.push(key)
  }
  return hits
}

export function naiveLfu(keys: readonly number[], size: number): number {
  let held: { key: number; uses: number; last: number }[] = []
  let hits = 0
  for (const [now, key] of keys.entries()) {
    const found = held.find((entry) => entry.key === key)
    if (found !== undefined) {
      hits++
      found.uses++
      found.last = now
      continue
    }
    if (held.length === size) {
      const victim = held.reduce((a, b) => (b.uses < a.uses || (b.uses === a.uses && b.last < a.last) ? b : a))
      held = held.filter((entry) => entry !== victim)
    }
    held.push({ key, uses: 0, last: now })
  }
  return hits
}

/** SIEVE as in the paper's algorithm 1: the head of the list is its last member here. */
export function naiveSieve(keys: readonly number[], size: number): number {
  const list: { key: number; visited: boolean }[] = []
  let hand = 0
  let hits = 0
  for (const key of keys) {
    const found = list.find((entry) => entry.key === key)
    if (found !== undefined) {
      hits++
      found.visited = true
      continue
    }
    if (list.length === size) {
      if (hand >= list.length) hand = 0
      while (list[hand]?.visited) {
        ;(list[hand] as { visited: boolean }).visited = false
        hand = (hand + 1) % list.length
      }
      list.splice(hand, 1)
    }
    list.push({ key, visited: false })
  }
  return hits
}
