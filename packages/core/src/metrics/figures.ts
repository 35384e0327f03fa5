import type { Stats } from '../protocol/stats.ts'

/** One of the figures of `Stats` as monitoring systems know it. */
export interface Figure {
  readonly stat: keyof Stats
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly unit?: 'bytes' | 'seconds' | 'ratio'
  readonly says: string
}

/** All of them; the rules by which each moves stand beside `Stats`. */
export const figures: readonly Figure[] = [
  { stat: 'hits', name: 'hits', kind: 'counter', says: 'Keys that were asked for and there' },
  { stat: 'misses', name: 'misses', kind: 'counter', says: 'Keys that were asked for and not there' },
  { stat: 'sets', name: 'sets', kind: 'counter', says: 'Items that were stored' },
  { stat: 'deletes', name: 'deletes', kind: 'counter', says: 'Live values that were removed' },
  { stat: 'loads', name: 'loads', kind: 'counter', says: 'Keys for which a loader ran' },
  { stat: 'loadFailures', name: 'load_failures', kind: 'counter', says: 'Keys for which a loader threw' },
  { stat: 'errors', name: 'errors', kind: 'counter', says: 'Failures of the backend' },
  { stat: 'evictions', name: 'evictions', kind: 'counter', says: 'Items that were removed to keep a limit' },
  { stat: 'expired', name: 'expired', kind: 'counter', says: 'Expired items that were removed' },
  { stat: 'items', name: 'items', kind: 'gauge', says: 'Live items in the backend' },
  { stat: 'size', name: 'size', kind: 'gauge', unit: 'bytes', says: 'Bytes in the backend' },
  { stat: 'hitRate', name: 'hit', kind: 'gauge', unit: 'ratio', says: 'Share of hits in all keys that were asked for' },
  { stat: 'averageLoadTime', name: 'average_load', kind: 'gauge', unit: 'seconds', says: 'Mean time of a load' },
  {
    stat: 'averageGetTime',
    name: 'average_get',
    kind: 'gauge',
    unit: 'seconds',
    says: 'Mean time of a get, by a sample',
  },
]

/** The figure in its unit: `Stats` counts times in milliseconds. */
export function figureOf({ stat, unit }: Figure, stats: Stats): number {
  return unit === 'seconds' ? stats[stat] / 1000 : stats[stat]
}

/** Its name with its unit, such as `size_bytes`. */
export function nameWithUnit({ name, unit }: Figure): string {
  return unit === undefined ? name : `${name}_${unit}`
}
