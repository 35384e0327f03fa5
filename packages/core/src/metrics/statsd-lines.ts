import type { Stats } from '../protocol/stats.ts'
import { figureOf, figures, nameWithUnit } from './figures.ts'

/**
 * The statistics of a cache as lines of StatsD, to be sent by UDP. Counters contain the difference to `before`, the statistics of
 * the last call; gauges contain the current value. Characters of `name` that StatsD does not allow become `_`.
 *
 *     statsdLines('shop.users', now, before) // ['shop.users.hits:3|c', …, 'shop.users.items:42|g', …]
 */
export function statsdLines(name: string, now: Stats, before?: Stats): string[] {
  const start = name.replaceAll(/[^\w.-]/g, '_')
  return figures.flatMap((figure) => {
    const metric = `${start}.${nameWithUnit(figure)}`
    if (figure.kind === 'gauge') return [`${metric}:${figureOf(figure, now)}|g`]
    const more = now[figure.stat] - (before?.[figure.stat] ?? 0)
    return more === 0 ? [] : [`${metric}:${more}|c`]
  })
}
