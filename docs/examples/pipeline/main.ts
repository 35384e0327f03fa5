/**
 * A pipeline over the installed packages of this machine: parse their sources, extract their imports, compute statistics, render a page.
 *
 *     node docs/examples/pipeline/main.ts [number of packages] [cache folder] [page]
 *
 * A second run computes nothing. After an edit of `module-names.ts`, all steps behind `parse` run again. After an edit of `bar-chart.ts` only `page` does.
 */
import { writeFile } from 'node:fs/promises'
import { Cache } from '@cache/core'
import { FileBackend } from '@cache/file'
import { input, pipeline } from '@cache/pipeline'
import { sourceCode } from '@cache/pipeline/source'
import { findPackages, type InstalledPackage } from './installed-packages.ts'
import * as steps from './steps.ts'

const [most = '50', dir = '.cache', page = 'packages.html'] = process.argv.slice(2)
const cache = new Cache({ backend: new FileBackend({ dir }) })
const p = pipeline({
  name: 'packages',
  cache,
  code: sourceCode({ from: import.meta.url, modules: { './steps.ts': steps } }),
  inputs: { packages: input<readonly InstalledPackage[]>() },
})

const parsed = p.map('parse', { over: p.inputs.packages, key: ({ id }) => id }, steps.parse)
const imports = p.map('extract', { over: parsed, key: ({ id }) => id }, steps.extract)
const statistics = p.node('statistics', { deps: { parsed, imports } }, steps.statistics)
const html = p.node('page', { deps: { statistics } }, steps.render)

// The id has the version, and the files of a version do not change: they are no input.
const { value, report } = await p.run(html, { packages: await findPackages(Number(most)) })
await writeFile(page, value)
console.log(report.toText())
await cache.close()
