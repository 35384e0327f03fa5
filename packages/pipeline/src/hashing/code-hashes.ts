import type { MaybePromise } from '@cache/core/backend'
import { builtHash } from './built-code.ts'
import { type NodeFunction, textHash, versionHash } from './code-hash.ts'
import type { CodeHasher } from './code-hasher.ts'

/** The parts of a node that identify its code. */
interface Coded {
  readonly node: { readonly name: string }
  readonly fn: NodeFunction
  readonly version: string | undefined
}

/** The hashes of the code of the nodes of one pipeline. Each is made once: the running code of a process does not change. */
export class CodeHashes {
  readonly #hasher: CodeHasher | undefined
  readonly #hashes = new Map<string, MaybePromise<string>>()

  constructor(hasher: CodeHasher | undefined) {
    this.#hasher = hasher
  }

  of(coded: Coded): MaybePromise<string> {
    const { name } = coded.node
    const known = this.#hashes.get(name)
    if (known !== undefined) return known
    const made = this.#make(coded)
    this.#hashes.set(name, made)
    // A failure may have a cause that passes.
    if (typeof made !== 'string') Promise.resolve(made).catch(() => this.#hashes.delete(name))
    return made
  }

  #make({ node, fn, version }: Coded): MaybePromise<string> {
    if (version !== undefined) return versionHash(version)
    const built = builtHash(fn)
    if (built !== undefined) return built
    if (this.#hasher === undefined) return textHash(fn, node.name)
    return this.#hashed(this.#hasher, fn, node.name)
  }

  async #hashed(hasher: CodeHasher, fn: NodeFunction, node: string): Promise<string> {
    return (await hasher.hashOf(fn, node)) ?? textHash(fn, node)
  }
}
