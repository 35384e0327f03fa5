import type { Measurement } from '../harness/suite.ts'

function nested(depth: number): unknown {
  return depth === 0 ? { leaf: 'x', n: 1 } : { a: nested(depth - 1), b: nested(depth - 1), list: [1, 2, 3] }
}

/** The values of each row. */
export const hashedValues: Readonly<Record<string, unknown>> = {
  'hash of a user': { id: 1, name: 'Ada', email: 'ada@example.com', roles: ['admin', 'user'], active: true },
  'hash of 200 rows': Array.from({ length: 200 }, (_, id) => {
    return { id, name: `user ${id}`, score: id * 1.5, tags: ['a', 'b'] }
  }),
  'hash of a nested document': nested(8),
}

/** Microseconds for one hash of the value of a row. */
export async function measureHashes(row: string, by: 'ours' | 'ohash', quick: boolean): Promise<Measurement> {
  const value = hashedValues[row]
  const hash = by === 'ohash' ? await loadOhash() : await loadOurs()
  const budget = quick ? 300 : 1500
  let calls = 1
  let texts = new Set<string>()
  for (;;) {
    const started = performance.now()
    texts = new Set()
    for (let call = 0; call < calls; call += 1) texts.add(hash(value))
    const ms = performance.now() - started
    // Equal calls must give one hash.
    if (ms >= budget) return { value: (ms * 1000) / calls, work: texts.size === 1 ? 1 : 0 }
    calls *= 2
  }
}

async function loadOhash(): Promise<(value: unknown) => string> {
  return (await import('ohash')).hash
}

async function loadOurs(): Promise<(value: unknown) => string> {
  return (await import('@cache/pipeline')).hashOf
}
