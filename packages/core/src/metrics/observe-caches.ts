import type { Stats } from '../protocol/stats.ts'
import { type Figure, figureOf, figures } from './figures.ts'

/** The argument that OpenTelemetry passes to a callback at each collection. */
export interface Observations<Instrument> {
  observe(instrument: Instrument, value: number, attributes: { readonly cache: string }): void
}

/** The members of an OpenTelemetry `Meter` that are used here. */
export interface Meter<Instrument> {
  createObservableCounter(name: string, options: { readonly description: string; readonly unit: string }): Instrument
  createObservableGauge(name: string, options: { readonly description: string; readonly unit: string }): Instrument
  addBatchObservableCallback(
    callback: (observations: Observations<Instrument>) => Promise<void>,
    instruments: Instrument[],
  ): void
  removeBatchObservableCallback(
    callback: (observations: Observations<Instrument>) => Promise<void>,
    instruments: Instrument[],
  ): void
}

/** The members of a cache that are used here. */
export interface Observed {
  stats(): Promise<Stats> | Stats
}

const units = { bytes: 'By', seconds: 's', ratio: '1', none: '1' } as const

/**
 * Reports caches, by their names, to a meter of the application; returns the function that ends it. Instruments have names such
 * as `cache.hits` and `cache.size`, and the attribute `cache`. A collection leaves out a cache that is closed or whose backend
 * fails.
 *
 *     const end = observeCaches(metrics.getMeter('caches'), { users, prices })
 */
export function observeCaches<Instrument>(
  meter: Meter<Instrument>,
  caches: Readonly<Record<string, Observed>>,
): () => void {
  const instruments = new Map(figures.map((figure) => [figure, instrumentOf(meter, figure)]))
  const observe = async (observations: Observations<Instrument>): Promise<void> => {
    const all = Object.entries(caches).map(async ([cache, observed]) => {
      const stats = await statsOf(observed)
      if (stats === undefined) return
      for (const [figure, instrument] of instruments)
        observations.observe(instrument, figureOf(figure, stats), { cache })
    })
    await Promise.all(all)
  }
  meter.addBatchObservableCallback(observe, [...instruments.values()])
  return () => meter.removeBatchObservableCallback(observe, [...instruments.values()])
}

function instrumentOf<Instrument>(meter: Meter<Instrument>, { name, kind, unit, says }: Figure): Instrument {
  const options = { description: says, unit: units[unit ?? 'none'] }
  const called = unit === 'ratio' ? `cache.${name}_ratio` : `cache.${name}`
  return kind === 'counter'
    ? meter.createObservableCounter(called, options)
    : meter.createObservableGauge(called, options)
}

/** A failure of one cache must not affect the others. The cache itself counts and reports it. */
async function statsOf(cache: Observed): Promise<Stats | undefined> {
  try {
    return await cache.stats()
  } catch {
    return undefined
  }
}
