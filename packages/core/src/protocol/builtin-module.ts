/**
 * A module of Node, or `undefined` where the runtime has none. An `import` of it would stop a bundler for browsers, and an
 * edge runtime would not start.
 */
export function builtinModule(name: 'crypto'): typeof import('node:crypto') | undefined
export function builtinModule(name: 'diagnostics_channel'): typeof import('node:diagnostics_channel') | undefined
export function builtinModule(name: 'v8'): typeof import('node:v8') | undefined
export function builtinModule(name: string): object | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): object | undefined } }
  try {
    return process?.getBuiltinModule?.(name)
  } catch {
    // In the edge runtime of Next the function exists and throws.
    return undefined
  }
}
