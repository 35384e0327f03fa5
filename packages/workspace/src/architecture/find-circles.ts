import type { Imports } from './find-imports.ts'

/** The files that can be reached from `start`, itself only when a circle leads back to it. */
function reachableFrom(start: string, imports: Imports): ReadonlySet<string> {
  const reached = new Set<string>()
  const open = [start]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const target of imports.get(path) ?? []) {
      if (reached.has(target)) continue
      reached.add(target)
      open.push(target)
    }
  }
  return reached
}

/** Groups of files in which each file reaches every other one through imports, in the order of their first paths. */
export function findCircles(imports: Imports): string[][] {
  const reached = new Map([...imports.keys()].map((path) => [path, reachableFrom(path, imports)]))
  const circles: string[][] = []
  const placed = new Set<string>()
  for (const path of [...imports.keys()].sort()) {
    if (placed.has(path) || !reached.get(path)?.has(path)) continue
    const circle = [...(reached.get(path) ?? [])].filter((other) => reached.get(other)?.has(path)).sort()
    for (const member of circle) placed.add(member)
    circles.push(circle)
  }
  return circles
}
