import type { Stats } from '../protocol/stats.ts'
import { type Figure, figureOf, figures } from './figures.ts'

/** What a collection of OpenTelemetry hands to those who observe. */
export interface Observations<Instrument> {
  observe(instrument: Instrument, value: number, attributes: { readonly cache: string }): void
}

/** A `Meter` of OpenTelemetry, as far as it is used here. */
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

/** A cache, as far as it is used here. */
export interface Observed {
  stats(): Promise<Stats> | Stats
}

const units = { bytes: 'By', seconds: 's', ratio: '1', none: '1' } as const

/**
 * Lets OpenTelemetry observe caches, by their names, with a meter of the application's; returns the function that ends it.
 * Instruments are called `cache.hits`, `cache.size`, and have the attribute `cache`. A cache that is closed, or whose backend fails,
 * is left out of that collection.
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

/** Its failure was counted and told by the cache; it must not cost the others their observation. */
async function statsOf(cache: Observed): Promise<Stats | undefined> {
  try {
    return await cache.stats()
  } catch {
    return undefined
  }
}
