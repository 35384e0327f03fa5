import { createHash } from 'node:crypto'
import { type Dirent, existsSync } from 'node:fs'
import { readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'

/** A package that lies on this machine. */
export interface InstalledPackage {
  /** Name and version. */
  readonly id: string
  readonly folder: string
}

export interface PackageReport {
  readonly licence: string
  readonly files: number
  readonly bytes: number
  readonly linesOfCode: number
  /** Of all files, names included. */
  readonly digest: string
  /** Packages that it needs, and that those need in turn. */
  readonly needs: readonly string[]
}

const store = join(import.meta.dirname, '../../../node_modules/.pnpm')
const sourceFile = /\.(?:[cm]?[jt]sx?|d\.ts)$/

/** Packages of the workspace's store in the order of their ids, at most `most`. */
export async function findPackages(most: number): Promise<InstalledPackage[]> {
  const found = new Map<string, InstalledPackage>()
  for (const entry of (await readdir(store)).sort()) {
    const name = entry
      .replace(/@[^@]*$/, '')
      .replace(/\(.*$/, '')
      .replace('+', '/')
    const folder = join(store, entry, 'node_modules', name)
    if (!existsSync(join(folder, 'package.json'))) continue
    const manifest = await readManifest(folder)
    // The toolchain's own binaries say nothing about caching and take minutes to read.
    if (await isHuge(folder)) continue
    found.set(`${name}@${manifest.version}`, { id: `${name}@${manifest.version}`, folder })
    if (found.size === most) break
  }
  return [...found.values()]
}

/** Reads all of a package: slow, and always the same answer. */
export async function analysePackage({ folder }: InstalledPackage): Promise<PackageReport> {
  const digest = createHash('sha256')
  let files = 0
  let bytes = 0
  let linesOfCode = 0
  for (const path of await filesOf(folder)) {
    const content = await readFile(path)
    digest.update(path.slice(folder.length)).update(content)
    files += 1
    bytes += content.length
    if (sourceFile.test(path)) linesOfCode += content.toString('utf8').split('\n').length
  }
  const { license } = await readManifest(folder)
  const needs = new Set<string>()
  await follow(folder, needs)
  const licence = typeof license === 'string' ? license : 'not stated'
  return { licence, files, bytes, linesOfCode, digest: digest.digest('hex'), needs: [...needs].sort() }
}

async function follow(folder: string, needs: Set<string>): Promise<void> {
  const { dependencies = {} } = await readManifest(folder)
  for (const name of Object.keys(dependencies)) {
    const next = await dependencyFolder(folder, name)
    if (next === undefined) continue
    const { version } = await readManifest(next)
    if (needs.has(`${name}@${version}`)) continue
    needs.add(`${name}@${version}`)
    await follow(next, needs)
  }
}

/** A package's dependencies lie beside it in the store. */
async function dependencyFolder(folder: string, name: string): Promise<string | undefined> {
  const beside = folder.slice(0, folder.lastIndexOf('node_modules') + 'node_modules'.length)
  const path = join(beside, name)
  return existsSync(path) ? await realpath(path) : undefined
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry: Dirent) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

async function isHuge(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true })
  return (
    entries.length > 2000 ||
    entries.some((name) => /\.(?:node|exe|wasm)$|(?:^|\/)bin\/(?:node|turbo|biome)$/.test(name))
  )
}

interface Manifest {
  readonly version: string
  readonly license?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
}

async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest
}
