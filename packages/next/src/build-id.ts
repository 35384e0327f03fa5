import { createVersion } from '@cache/core/backend'
import type { HandlerContext } from './next-types.ts'
import type { Settings } from './options.ts'

const known = new Map<string, string>()

/** The build id: that of the options, or that of the build from its file `BUILD_ID`. */
export function buildIdOf({ serverDistDir }: HandlerContext, { buildId }: Settings): string {
  if (buildId !== undefined) return buildId
  const directory = serverDistDir ?? ''
  const found = known.get(directory) ?? readBuildId(directory)
  known.set(directory, found)
  return found
}

/** Without the file, as in `next dev`, pages must not be those of another build: the id is then one of this process. */
function readBuildId(serverDistDir: string): string {
  try {
    const { readFileSync } = process.getBuiltinModule('node:fs')
    const { join } = process.getBuiltinModule('node:path')
    return readFileSync(join(serverDistDir, '..', 'BUILD_ID'), 'utf8').trim() || createVersion()
  } catch {
    return createVersion()
  }
}
