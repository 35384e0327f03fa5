import { describeBackend } from '../backend-kit/describe-backend.ts'
import type { BackendPart, BackendStats, CacheBackend } from '../protocol/backend.ts'
import type { Stats } from '../protocol/stats.ts'

/** The figures of one store. A figure that the store does not know is absent. */
export interface LayerFigures extends BackendStats {
  /** The names from the outermost part to the store, such as `layered / redis`. */
  readonly layer: string
  /** Why the figures could not be read. */
  readonly failure?: string
}

export interface Figures {
  /** Those of `Cache.stats`, without the figures of the backend. */
  readonly cache: Pick<Stats, 'hits' | 'misses' | 'sets' | 'deletes' | 'loads' | 'loadFailures' | 'errors'> &
    Pick<Stats, 'hitRate' | 'averageLoadTime' | 'averageGetTime'>
  /** The stores, nearest first. */
  readonly layers: readonly LayerFigures[]
}

/** A store that keeps items itself. */
export interface Layer {
  readonly name: string
  readonly backend: CacheBackend
}

/** The stores of a backend that keep items themselves, nearest first. */
export function layersOf(backend: CacheBackend): Layer[] {
  return storesIn(describeBackend(backend), '')
}

function storesIn(part: BackendPart, owner: string): Layer[] {
  const name = owner === '' ? part.name : `${owner} / ${part.name}`
  const inner = (part.parts ?? []).filter(({ kind }) => kind === 'store')
  if (inner.length > 0) return inner.flatMap((one) => storesIn(one, name))
  return part.backend === undefined ? [] : [{ name, backend: part.backend }]
}

export async function figuresOf({ name, backend }: Layer): Promise<LayerFigures> {
  try {
    const { items, size, evictions, expired } = (await backend.stats?.()) ?? {}
    return {
      layer: name,
      ...(items !== undefined && { items }),
      ...(size !== undefined && { size }),
      ...(evictions !== undefined && { evictions }),
      ...(expired !== undefined && { expired }),
    }
  } catch (error) {
    return { layer: name, failure: error instanceof Error ? error.message : String(error) }
  }
}
