import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type DecisionRow, decisionTable } from '../../packages/core/src/cache/loading/decide.ts'

const root = join(import.meta.dirname, '../..')
const pages = globSync(['*.md', 'docs/*.md', 'docs/decisions/*.md', 'packages/*/*.md', 'packages/bench/notes/*.md'], {
  cwd: root,
}).sort()

function textOf(page: string): string {
  return readFileSync(join(root, page), 'utf8')
}

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(page: string): string[] {
  const headings = [...textOf(page).matchAll(/^#{1,6} (.*)$/gm)].map((match) => match[1] ?? '')
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** The links of a page that lead to nothing in this repository. */
function brokenLinks(page: string): string[] {
  const text = textOf(page).replaceAll(/^```[\s\S]*?^```$/gm, '')
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '')
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : join(dirname(page), path)
    if (!existsSync(join(root, file))) return true
    return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).includes(anchor)
  })
}

describe('the pages', () => {
  for (const page of pages) {
    it(`of ${page} link only to files and headings that exist`, () => {
      expect(brokenLinks(page)).toEqual([])
    })
  }
})

const columns = ['found', 'phase', 'validity', 'joined', 'forceRefresh', 'patience'] as const

function decisionRow(row: DecisionRow): string {
  const cells = columns.map((column) => row[column]?.map((value) => `\`${value}\``).join(', ') ?? '')
  return `| ${[...cells, `**${row.decision}**`, row.reason].join(' | ')} |`
}

describe('the architecture page', () => {
  it('has the decision table of the code', () => {
    const heading = `| ${[...columns, 'answer', 'reason'].join(' | ')} |\n|${'---|'.repeat(columns.length + 2)}`
    const table = [heading, ...decisionTable.map(decisionRow)].join('\n')
    const [, shown] = textOf('docs/architecture.md').split(/<!-- decision table: (?:start|end) -->/)
    expect(shown?.trim()).toBe(table)
  })

  it('names every package', () => {
    const packages = globSync('*', { cwd: join(root, 'packages') })
    const text = textOf('docs/architecture.md')
    expect(packages.filter((name) => !text.includes(`(../packages/${name})`))).toEqual([])
  })

  it('names every folder of the core package, and of its cache', () => {
    const entries = globSync(['packages/core/src/*', 'packages/core/src/cache/*'], { cwd: root })
    const folders = entries.filter((entry) => !entry.endsWith('.ts') && !entry.endsWith('src/cache'))
    const text = textOf('docs/architecture.md')
    expect(folders.length).toBeGreaterThan(5)
    expect(folders.filter((folder) => !text.includes(`(../${folder})`))).toEqual([])
  })
})

describe('the glossary', () => {
  const words = [...textOf('docs/glossary.md').matchAll(/^\| (?!word )([^|]+) \|/gm)].map((match) => match[1] ?? '')

  it('has thirty words in the order of the alphabet', () => {
    expect(words).toHaveLength(30)
    expect(words).toEqual([...words].sort())
  })

  it.each(['README.md', 'packages/core/README.md', 'docs/architecture.md'])('is linked from %s', (page) => {
    expect(textOf(page)).toMatch(/\]\([./a-z]*glossary\.md\)/)
  })
})
