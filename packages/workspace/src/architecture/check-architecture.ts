import { checkRooms } from './check-rooms.ts'
import { findCircles } from './find-circles.ts'
import { findCrowdedFolders, mostFiles } from './find-crowded-folders.ts'
import { findImports } from './find-imports.ts'
import type { PackageArchitecture } from './package-architecture.ts'
import type { Sources } from './read-sources.ts'

function checkCircles(circles: readonly string[][], known: number): string[] {
  if (circles.length > known) return circles.map((circle) => `these files import each other: ${circle.join(', ')}`)
  if (circles.length === known) return []
  return [`'known.circles' is ${known}, but ${circles.length} are left: lower it`]
}

function checkCrowded(crowded: ReadonlyMap<string, number>, known: readonly string[]): string[] {
  const faults: string[] = []
  for (const [folder, count] of crowded) {
    if (!known.includes(folder))
      faults.push(`the folder '${folder}' has ${count} files, at most ${mostFiles} are allowed`)
  }
  for (const folder of known) {
    if (!crowded.has(folder)) faults.push(`the folder '${folder}' is not crowded: remove it from 'known.crowded'`)
  }
  return faults
}

/** The faults of one package's sources against its table; none when the array is empty. */
export function checkArchitecture(sources: Sources, table: PackageArchitecture): string[] {
  const imports = findImports(sources)
  return [
    ...checkCircles(findCircles(imports), table.known?.circles ?? 0),
    ...checkCrowded(findCrowdedFolders(sources.keys()), table.known?.crowded ?? []),
    ...checkRooms(imports, table),
  ]
}
