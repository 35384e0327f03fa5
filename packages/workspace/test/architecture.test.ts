import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkArchitecture } from '../src/architecture/check-architecture.ts'
import type { PackageArchitecture } from '../src/architecture/package-architecture.ts'
import { readSources } from '../src/architecture/read-sources.ts'
import { tables } from '../src/architecture/tables.ts'
import { root } from '../src/verify/workspace.ts'

/** The faults of made-up files, each with its path and its imports. */
function faultsOf(files: Readonly<Record<string, readonly string[]>>, table: PackageArchitecture): string[] {
  const texts = Object.entries(files).map(([path, targets]): [string, string] => [
    path,
    targets.map((target) => `import { name } from '${target}'\n`).join(''),
  ])
  return checkArchitecture(new Map(texts), table)
}

/** The faults of one made-up file that could import `other.ts`, whose room it must not import. */
function faultsOfText(text: string): string[] {
  return checkArchitecture(
    new Map([
      ['low/file.ts', text],
      ['high/other.ts', ''],
    ]),
    { rooms: { low: [], high: ['low'] } },
  )
}

function filesIn(folder: string, count: number): Record<string, string[]> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${folder}file-${index}.ts`, []]))
}

const oneRoom: PackageArchitecture = { rooms: {} }
const forbidden = "low/file.ts imports high/other.ts, but the table does not let 'low' import 'high'"

describe('the sources of this repository', () => {
  it('have a table for each package', async () => {
    expect(Object.keys(tables)).toEqual((await readdir(join(root, 'packages'))).sort())
  })

  for (const [name, table] of Object.entries(tables)) {
    it(`keep to the table of packages/${name}`, async () => {
      const sources = await readSources(join(root, 'packages', name, 'src'))
      expect(sources.size).toBeGreaterThan(0)
      expect(checkArchitecture(sources, table)).toEqual([])
    })
  }
})

describe('an import circle', () => {
  it('is found between two files', () => {
    const faults = faultsOf({ 'a.ts': ['./b.ts'], 'b.ts': ['./a.ts'] }, oneRoom)
    expect(faults).toEqual(['these files import each other: a.ts, b.ts'])
  })

  it('is found through files in between, without the files that only lead to it', () => {
    const files = { 'a.ts': ['./b.ts'], 'b.ts': ['./c.ts'], 'c.ts': ['./d.ts'], 'd.ts': ['./b.ts'] }
    expect(faultsOf(files, oneRoom)).toEqual(['these files import each other: b.ts, c.ts, d.ts'])
  })

  it('is found in a file that imports itself', () => {
    expect(faultsOf({ 'a.ts': ['./a.ts'] }, oneRoom)).toEqual(['these files import each other: a.ts'])
  })

  it('is reported once for each separate group', () => {
    const files = { 'a.ts': ['./b.ts'], 'b.ts': ['./a.ts', './c.ts'], 'c.ts': ['./d.ts'], 'd.ts': ['./c.ts'] }
    expect(faultsOf(files, oneRoom)).toHaveLength(2)
  })

  it('is absent where two files share an import', () => {
    expect(faultsOf({ 'a.ts': ['./b.ts', './c.ts'], 'b.ts': ['./c.ts'], 'c.ts': [] }, oneRoom)).toEqual([])
  })

  it('passes while it is known, and fails the check once it is gone', () => {
    const known: PackageArchitecture = { rooms: {}, known: { circles: 1 } }
    expect(faultsOf({ 'a.ts': ['./b.ts'], 'b.ts': ['./a.ts'] }, known)).toEqual([])
    const faults = faultsOf({ 'a.ts': ['./b.ts'], 'b.ts': [] }, known)
    expect(faults).toEqual(["'known.circles' is 1, but 0 are left: lower it"])
  })

  it('beyond the known number is reported with all others', () => {
    const files = { 'a.ts': ['./b.ts'], 'b.ts': ['./a.ts'], 'c.ts': ['./d.ts'], 'd.ts': ['./c.ts'] }
    expect(faultsOf(files, { rooms: {}, known: { circles: 1 } })).toHaveLength(2)
  })
})

describe('a folder', () => {
  it('holds 20 files at most', () => {
    expect(faultsOf(filesIn('', 20), oneRoom)).toEqual([])
    expect(faultsOf(filesIn('', 21), oneRoom)).toEqual(["the folder '.' has 21 files, at most 20 are allowed"])
  })

  it('is counted without the files of its subfolders', () => {
    const files = { ...filesIn('a/', 15), ...filesIn('a/b/', 15) }
    expect(faultsOf(files, { rooms: { a: [], 'a/b': [] } })).toEqual([])
  })

  it('passes while it is known as crowded, and fails the check once it is not', () => {
    const known: PackageArchitecture = { rooms: {}, known: { crowded: ['.'] } }
    expect(faultsOf(filesIn('', 21), known)).toEqual([])
    expect(faultsOf(filesIn('', 20), known)).toEqual(["the folder '.' is not crowded: remove it from 'known.crowded'"])
  })
})

describe('a room', () => {
  const table: PackageArchitecture = { rooms: { low: [], middle: ['low'], high: ['middle'] } }
  const files = { 'low/a.ts': [], 'middle/b.ts': ['../low/a.ts'], 'high/c.ts': ['../middle/b.ts'] }

  it('may import itself and the rooms of its table', () => {
    expect(faultsOf({ ...files, 'high/d.ts': ['./c.ts'] }, table)).toEqual([])
  })

  it('may not import a room above which it stands, unless its table names it', () => {
    const faults = faultsOf({ ...files, 'high/d.ts': ['../low/a.ts'] }, table)
    expect(faults).toEqual(["high/d.ts imports low/a.ts, but the table does not let 'high' import 'low'"])
  })

  it('may not import a room below it', () => {
    const faults = faultsOf({ ...files, 'low/d.ts': ['../middle/e.ts'], 'middle/e.ts': [] }, table)
    expect(faults).toEqual(["low/d.ts imports middle/e.ts, but the table does not let 'low' import 'middle'"])
  })

  it('may be one file, which then does not belong to the room of its folder', () => {
    const rooms = { 'low/base.ts': [], high: ['low/base.ts'], low: ['low/base.ts', 'high'] }
    const allowed = { 'low/base.ts': [], 'high/b.ts': ['../low/base.ts'], 'low/c.ts': ['../high/b.ts', './base.ts'] }
    expect(faultsOf(allowed, { rooms })).toEqual([])
    const faults = faultsOf({ ...allowed, 'high/d.ts': ['../low/e.ts'], 'low/e.ts': [] }, { rooms })
    expect(faults).toEqual(["high/d.ts imports low/e.ts, but the table does not let 'high' import 'low'"])
  })

  it('may import against its table while the import is known, and fails the check once it is gone', () => {
    const known = { imports: ['low/d.ts imports high/c.ts'] }
    expect(faultsOf({ ...files, 'low/d.ts': ['../high/c.ts'] }, { ...table, known })).toEqual([])
    const faults = faultsOf({ ...files, 'low/d.ts': [] }, { ...table, known })
    expect(faults).toEqual(["'low/d.ts imports high/c.ts' is not a fault: remove it from 'known.imports'"])
  })

  it('must be in the table', () => {
    expect(faultsOf({ ...files, 'new/e.ts': [] }, table)).toEqual(["the folder 'new' is not in the table"])
    expect(faultsOf({ 'a.ts': [], 'new/e.ts': [] }, oneRoom)).toEqual(["the folder 'new' is not in the table"])
  })

  it('must have a file', () => {
    const faults = faultsOf(files, { rooms: { ...table.rooms, gone: [] } })
    expect(faults).toEqual(["the table names 'gone', which has no file of its own"])
  })

  it('may only name rooms above it in the table', () => {
    const faults = faultsOf(files, { rooms: { low: ['high'], middle: ['low'], high: ['middle'] } })
    expect(faults).toEqual(["the table lets 'low' import 'high', which does not stand above it"])
  })
})

describe('an import', () => {
  it.each([
    "import '../high/other.ts'",
    "import { name } from '../high/other.ts'",
    "import type { Name } from '../high/other.ts'",
    "import * as all from '../high/other.ts'",
    "import {\n  name,\n  type Name,\n} from '../high/other.ts'",
    "export * from '../high/other.ts'",
    "export { name } from '../high/other.ts'",
    "export type {\n  Name,\n} from '../high/other.ts'",
    "const { name } = await import('../high/other.ts')",
    "const both = [import('./file.ts'), import(\n  '../high/other.ts'\n)]",
    "let name: import('../high/other.ts').Name",
    'import { name } from "../high/other.ts"',
  ])('is seen in %j', (text) => {
    expect(faultsOfText(text)).toContain(forbidden)
  })

  it.each([
    "// import { name } from '../high/other.ts'",
    "/**\n * import { name } from '../high/other.ts'\n * const { name } = await import('../high/other.ts')\n */",
    "const path = '../high/other.ts'",
    "import { name } from '@cache/core'",
    "import { readFile } from 'node:fs/promises'",
  ])('is not seen in %j', (text) => {
    expect(faultsOfText(text)).toEqual([])
  })
})
