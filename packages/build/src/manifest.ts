import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The members of a `package.json` that the build reads. */
export interface Manifest {
  readonly name: string
  readonly private?: boolean
  /** The files and folders in the tarball. */
  readonly files?: readonly string[]
  /** The source of each entry point by its subpath, as the workspace imports it. */
  readonly exports?: Readonly<Record<string, string>>
  readonly publishConfig?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
}

export async function readManifest(directory: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
}
