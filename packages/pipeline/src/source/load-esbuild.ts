import { CacheError } from '@cache/core'
import type * as esbuild from 'esbuild'

/** The module `esbuild`. Rejects with `UNSUPPORTED` where it is not installed: it is an optional peer dependency. */
export async function loadEsbuild(): Promise<typeof esbuild> {
  try {
    return await import('esbuild')
  } catch (cause) {
    const message =
      "the hash of source code needs esbuild: install it ('npm install --save-dev esbuild'), or give each node a version"
    throw new CacheError('UNSUPPORTED', message, { cause })
  }
}
