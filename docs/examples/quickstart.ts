/**
 * A cache with a slow source, on every backend that this machine can run.
 *
 * The source is the installed packages of this machine. An answer about one package reads all of its files and follows
 * its dependencies, which takes tens of milliseconds. The cache must give the same answers in a fraction of that time.
 */
import { isDeepStrictEqual } from 'node:util'
import { Cache } from '@cache/core'
import { openBackends } from './quickstart/backends.ts'
import { analysePackage, findPackages } from './quickstart/packages.ts'
import { Progress } from './quickstart/progress.ts'
import { formatTable, type Round, type Row, summarise } from './quickstart/table.ts'

const packages = await findPackages(300)
console.log(`Source: ${packages.length} packages of this machine, each analysed from all of its files.\n`)

const progress = new Progress()
const truth = new Map<string, unknown>()
const uncached: number[] = []
for (const one of packages) {
  const started = performance.now()
  truth.set(one.id, await analysePackage(one))
  uncached.push(performance.now() - started)
  progress.show('without a cache', truth.size, packages.length)
}

const { backends, missing } = await openBackends()
const rows: Row[] = []
for (const { name, backend, stop } of backends) {
  const cache = new Cache({ backend, namespace: 'quickstart', ttl: '7d' })
  const rounds: Round[] = []
  for (const round of ['cold', 'warm']) {
    const spent: number[] = []
    const before = await cache.stats()
    for (const one of packages) {
      const started = performance.now()
      const answer = await cache.getOrSet(one.id, () => analysePackage(one))
      spent.push(performance.now() - started)
      if (!isDeepStrictEqual(answer, truth.get(one.id))) throw new Error(`${name}: a wrong answer about ${one.id}`)
      progress.show(`${name}, ${round}`, spent.length, packages.length)
    }
    rounds.push({ times: spent, hits: (await cache.stats()).hits - before.hits })
  }
  rows.push(summarise(name, uncached, rounds))
  await cache.close()
  await stop()
}
progress.clear()

console.log(formatTable(uncached, rows))
console.log(
  `\nEvery answer, cold and warm, was compared with the uncached one: ${rows.length * packages.length * 2} answers, all equal.`,
)
const found = rows.find((row) => row.name === 'file')?.cold.hits ?? 0
console.log(
  found > 0
    ? `The file cache still held ${found} of ${packages.length} answers from an earlier run.`
    : 'Run it again: the file cache keeps its answers, and is warm from the start.',
)
for (const line of missing) console.log(line)
