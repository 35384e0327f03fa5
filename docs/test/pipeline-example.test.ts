import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'

const examples = join(import.meta.dirname, '../examples/pipeline')

it('the example of a pipeline runs exactly the steps again that depend on an edited helper', async () => {
  // Beside the packages that the example imports.
  const folder = mkdtempSync(join(import.meta.dirname, '../.pipeline-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(examples, folder, { recursive: true })
  const page = join(folder, 'page.html')
  const run = async (): Promise<string[]> => {
    const args = [join(folder, 'main.ts'), '12', join(folder, 'cache'), page]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder })
    const results = [...stdout.matchAll(/^\[CACHE\] (\w+): (\w+)(?: \([^,\n]+, (\w+))?/gm)]
    return results.map(([, node, result, reason]) => (result === 'HIT' ? `${node} hit` : `${node} ${reason}`))
  }
  const edit = (name: string, from: string, to: string): void => {
    const file = join(folder, name)
    const text = readFileSync(file, 'utf8')
    expect(text).toContain(from)
    writeFileSync(file, text.replace(from, to))
  }
  expect(await run()).toEqual(['parse absent', 'extract absent', 'statistics absent', 'page absent'])
  expect(readFileSync(page, 'utf8')).toContain('<h1>12 packages</h1>')
  const allHit = ['parse hit', 'extract hit', 'statistics hit', 'page hit']
  expect(await run()).toEqual(allHit)
  edit('bar-chart.ts', '#8ab4d8', '#d88a8a')
  expect(await run()).toEqual(['parse hit', 'extract hit', 'statistics hit', 'page code'])
  expect(readFileSync(page, 'utf8')).toContain('#d88a8a')
  edit('bar-chart.ts', '/** A bar chart as SVG. */', '// Draws bars.')
  expect(await run()).toEqual(allHit)
  edit('module-names.ts', "match[1] ?? ''", "match[1] + '!'")
  expect(await run()).toEqual(['parse hit', 'extract code', 'statistics dep', 'page dep'])
}, 120_000)
