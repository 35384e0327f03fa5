import { posix } from 'node:path'

/** The number of files that one folder may hold. */
export const mostFiles = 20

/** The folders with more files than `mostFiles`, each with their number. */
export function findCrowdedFolders(paths: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const path of paths) {
    const folder = posix.dirname(path)
    counts.set(folder, (counts.get(folder) ?? 0) + 1)
  }
  return new Map([...counts].filter(([, count]) => count > mostFiles))
}
