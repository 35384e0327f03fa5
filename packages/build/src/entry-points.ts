import type { Manifest } from './manifest.ts'

/** One import of the package's users. */
export interface EntryPoint {
  /** As in `exports`: `.` or `./name`. */
  readonly subpath: string
  /** The name of its files in `dist`, without an extension. */
  readonly name: string
  /** Its file in `src`, relative to the package. */
  readonly source: string
}

/** The entry points of a package, in the order of `exports`. */
export function entryPoints({ exports = {} }: Manifest): EntryPoint[] {
  return Object.entries(exports).map(([subpath, source]) => ({ subpath, name: nameOf(subpath), source }))
}

/** All files lie side by side in `dist`, so that a chunk finds the file of a worker whichever entry point it belongs to. */
function nameOf(subpath: string): string {
  return subpath === '.' ? 'index' : subpath.slice('./'.length).replaceAll('/', '-')
}
