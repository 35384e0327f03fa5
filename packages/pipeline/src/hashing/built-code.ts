import type { NodeFunction } from './code-hash.ts'

/** The exports of a module by name. */
export type CodeModule = Readonly<Record<string, unknown>>

interface BuiltModule {
  readonly module: CodeModule
  readonly hashes: Readonly<Record<string, string>>
}

const hashes = new WeakMap<object, string>()
/** Modules whose exports were not read yet: an export may have no value before the modules of an import circle have run. */
let unread: BuiltModule[] = []

/** Tells the hashes of the exports of a module. The plugins of `@cache/pipeline/build` write calls of this function. */
export function registerCode(module: CodeModule, hashes: Readonly<Record<string, string>>): void {
  unread.push({ module, hashes })
}

/** The hash that the build has written for a function. */
export function builtHash(fn: NodeFunction): string | undefined {
  unread = unread.filter((built) => !readExports(built))
  return hashes.get(fn)
}

/** Returns `false` while an export has no value. */
function readExports({ module, hashes: named }: BuiltModule): boolean {
  try {
    for (const [name, hash] of Object.entries(named)) {
      const value = module[name]
      if (typeof value === 'function') hashes.set(value, hash)
    }
    return true
  } catch {
    return false
  }
}
