import { posix } from 'node:path'
import type { Sources } from './read-sources.ts'

/** The paths that each file imports, types included. */
export type Imports = ReadonlyMap<string, readonly string[]>

const commentLine = /^\s*(?:\/\/|\/?\*).*$/gm
// A statement begins its line; one of several lines ends in a line that begins with a brace.
const statement = /^(?:import|export|\})(?:[^'"\n]*\bfrom)?\s*['"](\.{1,2}\/[^'"]+)['"]/gm
const call = /\bimport\(\s*['"](\.{1,2}\/[^'"]+)['"]/g

function importedBy(text: string): string[] {
  const code = text.replace(commentLine, '')
  return [...code.matchAll(statement), ...code.matchAll(call)].map((match) => match[1] ?? '')
}

/** The imports between the given files. Imports of other packages and of files that are not given are left out. */
export function findImports(sources: Sources): Imports {
  const imports = new Map<string, readonly string[]>()
  for (const [path, text] of sources) {
    const targets = importedBy(text).map((target) => posix.join(posix.dirname(path), target))
    imports.set(path, [...new Set(targets)].filter((target) => sources.has(target)).sort())
  }
  return imports
}
