import type { NodeFunction } from './code-hash.ts'

/** A way to hash the code of functions, such as `sourceCode` of `@cache/pipeline/source`. */
export interface CodeHasher {
  /**
   * The hash of the code of a function, or `undefined` for a function that it does not know. `node` is the name of the node, for errors.
   */
  hashOf(fn: NodeFunction, node: string): Promise<string | undefined> | string | undefined
}
