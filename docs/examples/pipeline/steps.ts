import { globSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { barChart } from './bar-chart.ts'
import type { InstalledPackage } from './installed-packages.ts'
import { moduleNames } from './module-names.ts'

interface Parsed {
  readonly id: string
  readonly lines: number
  /** Every line with an import. */
  readonly imports: readonly string[]
}

interface Statistics {
  readonly packages: number
  readonly lines: readonly (readonly [string, number])[]
  readonly modules: readonly (readonly [string, number])[]
}

const largest = 200_000

/** Reads the sources of a package. */
export async function parse({ id, folder }: InstalledPackage): Promise<Parsed> {
  let lines = 0
  const imports: string[] = []
  for (const name of globSync('**/*.{js,mjs,cjs}', { cwd: folder, exclude: ['node_modules'] }).sort()) {
    const file = join(folder, name)
    const about = await stat(file)
    if (!about.isFile() || about.size > largest) continue
    const all = (await readFile(file, 'utf8')).split('\n')
    lines += all.length
    for (const line of all) if (/\b(?:from|require\()\s*["']/.test(line) && line.length < 500) imports.push(line.trim())
  }
  return { id, lines, imports }
}

/** The modules that a package imports. */
export function extract({ id, imports }: Parsed): { readonly id: string; readonly modules: readonly string[] } {
  return { id, modules: [...new Set(imports.flatMap(moduleNames))].sort() }
}

/** The largest packages, and the modules that most packages import. */
export function statistics({
  parsed,
  imports,
}: {
  readonly parsed: readonly Parsed[]
  readonly imports: readonly { readonly modules: readonly string[] }[]
}): Statistics {
  const counts = new Map<string, number>()
  for (const { modules } of imports) for (const one of modules) counts.set(one, (counts.get(one) ?? 0) + 1)
  return {
    packages: parsed.length,
    lines: highest(parsed.map(({ id, lines }) => [id, lines])),
    modules: highest([...counts]),
  }
}

function highest(pairs: readonly (readonly [string, number])[]): (readonly [string, number])[] {
  return [...pairs].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1)).slice(0, 15)
}

/** A page with one chart for each table. */
export function render({ statistics }: { readonly statistics: Statistics }): string {
  const { packages, lines, modules } = statistics
  return `<!doctype html>
<meta charset="utf-8">
<title>${packages} packages</title>
<h1>${packages} packages</h1>
<h2>Lines of code</h2>
${barChart(lines)}
<h2>Packages that import a module</h2>
${barChart(modules)}
`
}
