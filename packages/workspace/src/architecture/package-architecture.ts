/** What the table of one package declares about its `src` folder. */
export interface PackageArchitecture {
  /**
   * The rooms in order, each with the rooms that it may import. A room is a folder (`.` is `src` itself) or one file.
   * A file belongs to the room of its own path, else to the room of its folder. A room may name only rooms above it, so
   * two rooms never import each other. Without rooms, every file stands in `src` itself.
   */
  readonly rooms: Readonly<Record<string, readonly string[]>>
  /** Faults that still exist. The check fails when one of them is gone, so the list only becomes shorter. */
  readonly known?: KnownFaults
}

export interface KnownFaults {
  /** How many groups of files import each other in a circle. */
  readonly circles?: number
  /** Folders with too many files. */
  readonly crowded?: readonly string[]
  /** Imports that the rooms do not allow: `low/file.ts imports high/other.ts`. */
  readonly imports?: readonly string[]
}
