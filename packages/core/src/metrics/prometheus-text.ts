import type { Stats } from '../protocol/stats.ts'
import { type Figure, figureOf, figures, nameWithUnit } from './figures.ts'

/**
 * The statistics of caches, by their names, in the text format of Prometheus, for the application's `/metrics`. Metrics have
 * names such as `cache_hits_total` and `cache_size_bytes`, and the label `cache`.
 *
 *     prometheusText({ users: await users.stats(), prices: await prices.stats() })
 */
export function prometheusText(caches: Readonly<Record<string, Stats>>): string {
  const named = Object.entries(caches).map(([name, stats]) => ({ label: escaped(name), stats }))
  return figures.flatMap((figure) => linesOf(figure, named)).join('')
}

interface Named {
  readonly label: string
  readonly stats: Stats
}

function linesOf(figure: Figure, named: readonly Named[]): string[] {
  const metric = `cache_${nameWithUnit(figure)}${figure.kind === 'counter' ? '_total' : ''}`
  const head = [`# HELP ${metric} ${figure.says}\n`, `# TYPE ${metric} ${figure.kind}\n`]
  return [...head, ...named.map(({ label, stats }) => `${metric}{cache="${label}"} ${figureOf(figure, stats)}\n`)]
}

function escaped(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
