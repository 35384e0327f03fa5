import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/** The text of each source file by its path, with `/` between folders. */
export type Sources = ReadonlyMap<string, string>

/** Resolves to the TypeScript files below `directory`, in the order of their paths. */
export async function readSources(directory: string): Promise<Sources> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort()
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')))
  return new Map(paths.map((path, index) => [relative(directory, path).split(sep).join('/'), texts[index] ?? '']))
}
