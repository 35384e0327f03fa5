import { type NearReader, newGeneration } from '@cache/core/backend'

/**
 * The `generation` of several near readers as one: a new number whenever the number of any of them has changed. `undefined`
 * while one of them does not know, or while `isOpen` returns `false`.
 */
export function combinedGeneration(readers: readonly NearReader[], isOpen: () => boolean): () => number | undefined {
  const last: (number | undefined)[] = readers.map(() => undefined)
  let combined: number | undefined
  return () => {
    if (!isOpen()) return undefined
    let isKnown = true
    for (const [index, reader] of readers.entries()) {
      const generation = reader.generation?.()
      if (generation === undefined) isKnown = false
      if (generation === last[index]) continue
      last[index] = generation
      combined = undefined
    }
    if (!isKnown) return undefined
    combined ??= newGeneration()
    return combined
  }
}
