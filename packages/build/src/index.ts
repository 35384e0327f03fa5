// The script `build` of each public package, run in its folder: `dist` with code and declarations for its users.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { buildCode } from './build-code.ts'
import { buildDeclarations } from './build-declarations.ts'
import { copyLicences } from './copy-licences.ts'
import { entryPoints } from './entry-points.ts'
import { readManifest } from './manifest.ts'

const directory = process.cwd()
const manifest = await readManifest(directory)
const entries = entryPoints(manifest)
await rm(join(directory, 'dist'), { recursive: true, force: true })
await buildCode(directory, entries)
await buildDeclarations(directory, entries)
await copyLicences(directory, manifest)
