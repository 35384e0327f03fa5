import type { Stats } from '../protocol/stats.ts'

/** One member of `Stats` as a metric. */
export interface Figure {
  readonly stat: keyof Stats
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly unit?: 'bytes' | 'seconds' | 'ratio'
  readonly says: string
}

/** All figures. The comments of `Stats` state when each one changes. */
export const figures: readonly Figure[] = [
  { stat: 'hits', name: 'hits', kind: 'counter', says: 'Requested keys that had a value' },
  { stat: 'misses', name: 'misses', kind: 'counter', says: 'Requested keys that had no value' },
  { stat: 'sets', name: 'sets', kind: 'counter', says: 'Items that were stored' },
  { stat: 'deletes', name: 'deletes', kind: 'counter', says: 'Live values that were removed' },
  { stat: 'loads', name: 'loads', kind: 'counter', says: 'Keys for which a loader ran' },
  { stat: 'loadFailures', name: 'load_failures', kind: 'counter', says: 'Keys for which a loader threw' },
  { stat: 'errors', name: 'errors', kind: 'counter', says: 'Failures of the backend' },
  { stat: 'evictions', name: 'evictions', kind: 'counter', says: 'Items that a limit removed' },
  { stat: 'expired', name: 'expired', kind: 'counter', says: 'Expired items that were removed' },
  { stat: 'items', name: 'items', kind: 'gauge', says: 'Live items in the backend' },
  { stat: 'size', name: 'size', kind: 'gauge', unit: 'bytes', says: 'Bytes in the backend' },
  { stat: 'hitRate', name: 'hit', kind: 'gauge', unit: 'ratio', says: 'Share of hits in all requested keys' },
  { stat: 'averageLoadTime', name: 'average_load', kind: 'gauge', unit: 'seconds', says: 'Mean time of a load' },
  {
    stat: 'averageGetTime',
    name: 'average_get',
    kind: 'gauge',
    unit: 'seconds',
    says: 'Mean time of a get, estimated from samples',
  },
]

/** The figure in its unit: `Stats` counts times in milliseconds. */
export function figureOf({ stat, unit }: Figure, stats: Stats): number {
  return unit === 'seconds' ? stats[stat] / 1000 : stats[stat]
}

/** The name with the unit, such as `size_bytes`. */
export function nameWithUnit({ name, unit }: Figure): string {
  return unit === undefined ? name : `${name}_${unit}`
}
