import type { Measurement } from '../harness/suite.ts'
import type { Maker } from './bounded.ts'
import { sizesOf, traces } from './traces.ts'
import { keyOf, value } from './workload.ts'

/** Mean hit ratio in per cent over all traces and sizes, the keys as strings. The work is the number of requests. */
export async function measureHitRatio(maker: Maker): Promise<Measurement> {
  const ratios: number[] = []
  let requests = 0
  for (const trace of traces()) {
    for (const size of sizesOf(trace)) {
      const cache = await maker.make(size, undefined)
      let hits = 0
      for (const number of trace.keys) {
        const key = keyOf(number)
        if (cache.get(key) === value) hits += 1
        else cache.set(key, value)
      }
      ratios.push((100 * hits) / trace.keys.length)
      requests += trace.keys.length
    }
  }
  return { value: ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length, work: requests }
}
