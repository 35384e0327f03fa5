import { posix } from 'node:path'
import type { Imports } from './find-imports.ts'
import type { PackageArchitecture } from './package-architecture.ts'

type Rooms = PackageArchitecture['rooms']

function roomOf(path: string, rooms: Rooms): string | undefined {
  if (Object.hasOwn(rooms, path)) return path
  const folder = posix.dirname(path)
  return Object.hasOwn(rooms, folder) ? folder : undefined
}

/** A room that may import a room below it in the table could close a circle of rooms. */
function checkOrder(rooms: Rooms): string[] {
  const faults: string[] = []
  const above = new Set<string>()
  for (const [room, allowed] of Object.entries(rooms)) {
    for (const other of allowed) {
      if (!above.has(other)) faults.push(`the table lets '${room}' import '${other}', which does not stand above it`)
    }
    above.add(room)
  }
  return faults
}

/** Every file has a room, and every room has a file. */
function checkCoverage(paths: readonly string[], rooms: Rooms): string[] {
  const undeclared = new Set<string>()
  const used = new Set<string>()
  for (const path of paths) {
    const room = roomOf(path, rooms)
    if (room === undefined) undeclared.add(posix.dirname(path))
    else used.add(room)
  }
  return [
    ...[...undeclared].map((folder) => `the folder '${folder}' is not in the table`),
    ...Object.keys(rooms)
      .filter((room) => !used.has(room))
      .map((room) => `the table names '${room}', which has no file of its own`),
  ]
}

function checkImports(imports: Imports, rooms: Rooms, known: readonly string[]): string[] {
  const faults: string[] = []
  const unused = new Set(known)
  for (const [path, targets] of imports) {
    const from = roomOf(path, rooms)
    for (const target of targets) {
      const to = roomOf(target, rooms)
      if (from === undefined || to === undefined || from === to || rooms[from]?.includes(to)) continue
      const fault = `${path} imports ${target}`
      if (!unused.delete(fault)) faults.push(`${fault}, but the table does not let '${from}' import '${to}'`)
    }
  }
  for (const fault of unused) faults.push(`'${fault}' is not a fault: remove it from 'known.imports'`)
  return faults
}

/** The faults of a package's rooms: in their table, and in the imports between them. */
export function checkRooms(imports: Imports, { rooms, known }: PackageArchitecture): string[] {
  const table = Object.keys(rooms).length === 0 ? { '.': [] } : rooms
  return [
    ...checkOrder(table),
    ...checkCoverage([...imports.keys()], table),
    ...checkImports(imports, table, known?.imports ?? []),
  ]
}
