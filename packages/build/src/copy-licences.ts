import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from './manifest.ts'
import { onlyEsm } from './only-esm.ts'

/** Puts the licence of each dependency that the CommonJS files contain beside them. */
export async function copyLicences(directory: string, { dependencies = {} }: Manifest): Promise<void> {
  for (const name of onlyEsm) {
    if (dependencies[name] === undefined) continue
    await copyFile(join(directory, 'node_modules', name, 'LICENSE'), join(directory, 'dist', `LICENSE-${name}`))
  }
}
