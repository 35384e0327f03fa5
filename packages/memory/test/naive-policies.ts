/** The rules of the papers in their simplest form, with linear searches. Each function returns the number of hits. */

export function naiveFifo(keys: readonly number[], size: number): number {
  const queue: number[] = []
  let hits = 0
  for (const key of keys) {
    if (queue.includes(key)) hits += 1
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
      hits += 1
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
      hits += 1
      found.uses += 1
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
      hits += 1
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

/** S3-FIFO as in the paper's algorithm 1, with as many ghosts as the simulator of its authors: the size of the main queue. */
export function naiveS3Fifo(keys: readonly number[], size: number): number {
  const small: { key: number; uses: number }[] = []
  const main: { key: number; uses: number }[] = []
  let ghosts: number[] = []
  let hits = 0
  const evict = (): void => {
    const fromSmall = small.length > 0 && (small.length >= size * 0.1 || main.length === 0)
    const leaving = (fromSmall ? small : main).shift() as { key: number; uses: number }
    if (fromSmall && leaving.uses > 1) main.push({ key: leaving.key, uses: 0 })
    else if (!fromSmall && leaving.uses > 0) main.push({ key: leaving.key, uses: leaving.uses - 1 })
    else if (fromSmall) ghosts = [...ghosts, leaving.key].slice(Math.max(0, ghosts.length + 1 - Math.floor(size * 0.9)))
  }
  for (const key of keys) {
    const found = [...small, ...main].find((entry) => entry.key === key)
    if (found !== undefined) {
      hits += 1
      found.uses = Math.min(3, found.uses + 1)
      continue
    }
    const isGhost = ghosts.includes(key)
    if (isGhost) ghosts = ghosts.filter((ghost) => ghost !== key)
    while (small.length + main.length === size) evict()
    ;(isGhost ? main : small).push({ key, uses: 0 })
  }
  return hits
}

/** Belady's policy evicts the entry with the most distant next request, found by a search in the future requests. */
export function naiveOptimal(keys: readonly number[], size: number): number {
  const held: number[] = []
  let hits = 0
  for (const [now, key] of keys.entries()) {
    if (held.includes(key)) {
      hits += 1
      continue
    }
    if (held.length === size) {
      const next = held.map((other) => keys.indexOf(other, now)).map((at) => (at < 0 ? keys.length : at))
      held.splice(next.indexOf(Math.max(...next)), 1)
    }
    held.push(key)
  }
  return hits
}
