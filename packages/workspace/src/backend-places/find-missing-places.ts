import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { composites, type Place, places } from './places.ts'

/** The texts of a file, or of all files of a folder; none where it does not exist. */
async function textsAt(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return []
  if (found.isFile()) return [await readFile(path, 'utf8')]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')))
}

async function isMissing(root: string, name: string, { path, orPath, text }: Place): Promise<boolean> {
  const paths = orPath === undefined ? [path] : [path, orPath]
  const texts = (await Promise.all(paths.map((one) => textsAt(join(root, one.replaceAll('<name>', name)))))).flat()
  const wanted = text?.replaceAll('<name>', name) ?? ''
  return !texts.some((one) => one.includes(wanted))
}

/** The places of the repository at `root` in which the backend package `name` does not appear. */
export async function findMissingPlaces(root: string, name: string): Promise<string[]> {
  const kind = composites.includes(name) ? 'composites' : 'stores'
  const needed = places.filter(({ only }) => only === undefined || only === kind)
  const missing = await Promise.all(needed.map((place) => isMissing(root, name, place)))
  return needed
    .filter((_, index) => missing[index])
    .map(({ path, content }) => `${path.replaceAll('<name>', name)}: ${content}`)
}
