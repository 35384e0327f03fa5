import type { Cache, GetOrSetOptions, LoadContext } from '../../../src/index.ts'
import { GatedLoad, settled } from '../rig.ts'

/**
 * Makes a change while a load of `k` runs, then ends the load with `old`. With `namedTags`, the loader names these tags.
 * Resolves to the value that the caller of the load gets, once all steps of the load are done.
 */
export async function duringLoad(
  cache: Cache,
  change: () => Promise<unknown>,
  { namedTags, ...options }: GetOrSetOptions & { readonly namedTags?: readonly string[] } = {},
): Promise<string> {
  const load = new GatedLoad<string>()
  const naming = async (context: LoadContext): Promise<string> => {
    if (namedTags !== undefined) context.tags = namedTags
    return await load.loader()
  }
  // A loader without a parameter is one that names no tags.
  const first = cache.getOrSet('k', namedTags === undefined ? load.loader : naming, options)
  await load.started()
  await change()
  load.end('old')
  const value = await first
  await settled()
  return value
}
