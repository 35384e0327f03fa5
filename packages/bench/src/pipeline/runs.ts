import { Cache } from '@cache/core'
import type { Measurement } from '../harness/suite.ts'

/** The length of the chain. */
export const nodes = 1000
const items = 100_000

async function openCache(folder: string | undefined): Promise<Cache> {
  if (folder === undefined) {
    const { MemoryBackend } = await import('@cache/memory')
    return new Cache({ backend: new MemoryBackend({ maxEntries: 1_000_000 }) })
  }
  const { FileBackend } = await import('@cache/file')
  return new Cache({ backend: new FileBackend({ dir: folder }) })
}

/** Microseconds for each node of a chain whose results are stored. Without a folder they are in memory. */
export async function measureNodes(folder: string | undefined, quick: boolean): Promise<Measurement> {
  const { pipeline } = await import('@cache/pipeline')
  const cache = await openCache(folder)
  const p = pipeline({ name: 'bench', cache })
  let last = p.node('n0', { version: '1' }, () => 1)
  for (let index = 1; index < nodes; index += 1)
    last = p.node(`n${index}`, { version: '1', deps: { before: last } }, ({ before }) => before + 1)
  await p.run(last)
  const times: number[] = []
  let right = 0
  for (let round = 0; round < (quick ? 3 : 10); round += 1) {
    const started = performance.now()
    const { value, report } = await p.run(last)
    times.push(performance.now() - started)
    if (value === nodes && report.hits === nodes) right += 1
  }
  await cache.close()
  return { value: (Math.min(...times) * 1000) / nodes, work: right }
}

/** Milliseconds for a map of which one item in a hundred has changed. */
export async function measureMap(folder: string): Promise<Measurement> {
  const { input, pipeline } = await import('@cache/pipeline')
  const cache = await openCache(folder)
  const p = pipeline({ name: 'bench', cache, inputs: { list: input<readonly { id: number; n: number }[]>() } })
  const double = p.map('double', { version: '1', over: p.inputs.list }, ({ n }) => ({ twice: 2 * n }))
  const list = Array.from({ length: items }, (_, id) => ({ id, n: 0 }))
  await p.run(double, { list })
  const changed = list.map(({ id }) => ({ id, n: id % 100 === 0 ? 1 : 0 }))
  const started = performance.now()
  const { value, report } = await p.run(double, { list: changed })
  const ms = performance.now() - started
  await cache.close()
  const isRight = report.nodes[0]?.items?.computed === items / 100
  return { value: ms, work: isRight ? value.filter(({ twice }, id) => twice === (id % 100 === 0 ? 2 : 0)).length : 0 }
}
