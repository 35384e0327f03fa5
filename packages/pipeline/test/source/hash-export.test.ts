import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type ExportRequest, hashExport } from '../../src/source/index.ts'
import { type Files, project, writeFiles } from './project.ts'

const files = {
  'steps.ts': `
    import { parse } from './parse.ts'
    import { word } from './words.ts'
    import { pad } from 'padding'
    import type { Row } from './types.ts'
    export function load(text: string): Row { return { text: pad(parse(text)) } }
    export function sibling(): string { return word }
    export default (n: number): number => n + 1
  `,
  'parse.ts': `
    import { limit } from './limit.ts'
    /** Parses. */
    export function parse(text: string): string { return text.slice(0, limit) }
    export function unused(): number { return 1 }
  `,
  'limit.ts': 'export const limit = 10\nexport const other = 20\n',
  'words.ts': "export const word = 'word'\n",
  'types.ts': 'export interface Row { readonly text: string }\n',
  'node_modules/padding/package.json': '{ "name": "padding", "version": "1.2.3", "main": "index.js" }',
  'node_modules/padding/index.js': 'exports.pad = (text) => text',
}

/** The hash of an export of a project, before and after an edit. */
async function around(edit: Files, request: Partial<ExportRequest> = {}, before: Files = files): Promise<boolean> {
  const folder = project(before)
  const hash = async () => (await hashExport({ file: join(folder, 'steps.ts'), name: 'load', ...request })).hash
  const first = await hash()
  writeFiles(folder, edit)
  return first !== (await hash())
}

function edited(name: keyof typeof files, from: string, to: string): Files {
  if (!files[name].includes(from)) throw new Error(`${name} has no '${from}'`)
  return { [name]: files[name].replaceAll(from, to) }
}

describe('the hash of an export moves', () => {
  it.each<[string, Files]>([
    ['the function', edited('steps.ts', 'pad(parse(text))', 'pad(parse(text + 1))')],
    ['a helper', edited('parse.ts', 'slice(0', 'slice(1')],
    ['a constant two imports away', edited('limit.ts', '10', '11')],
    ['the installed version of a package', edited('node_modules/padding/package.json', '1.2.3', '1.2.4')],
    ['the package of an import', edited('steps.ts', "from 'padding'", "from 'other-padding'")],
    ['a statement of a module with an effect', { 'limit.ts': `${files['limit.ts']}globalThis.value = 1\n` }],
  ])('after an edit of %s', async (_, edit) => {
    expect(await around(edit)).toBe(true)
  })
})

describe('the hash of an export stays', () => {
  it.each<[string, Files]>([
    ['a comment in the function', edited('steps.ts', 'return {', '/* new */ return {')],
    ['a comment in a helper', edited('parse.ts', 'Parses.', 'Parses a text.')],
    ['white space', edited('parse.ts', 'text.slice(0, limit)', 'text\n .slice( 0 , limit )')],
    ['a sibling function', edited('steps.ts', 'return word', 'return word + word')],
    ['an unused function of a helper', edited('parse.ts', 'return 1', 'return 2')],
    ['an unused constant', edited('limit.ts', '20', '21')],
    ['a module that only a sibling uses', edited('words.ts', "'word'", "'other'")],
    ['a type', edited('types.ts', 'readonly text: string', 'text: string')],
    ['an annotation', edited('parse.ts', 'parse(text: string): string', 'parse(text: string & {})')],
    ['the content of a package', { 'node_modules/padding/index.js': 'exports.pad = (text) => text.trim()' }],
  ])('after an edit of %s', async (_, edit) => {
    expect(await around(edit)).toBe(false)
  })

  it('in another folder', async () => {
    const requests = [project(files), project(files)].map((folder) => ({
      file: join(folder, 'steps.ts'),
      name: 'load',
    }))
    const [one, other] = await Promise.all(requests.map(hashExport))
    expect(one?.hash).toBe(other?.hash)
  })
})

describe('the hash follows', () => {
  const after = { 'deep.ts': 'export const k = 2\n' }
  const deep = { 'deep.ts': 'export const k = 1\n' }

  it.each<[string, Files, Partial<ExportRequest>]>([
    [
      're-exports',
      {
        'steps.ts': "export { load } from './a.ts'",
        'a.ts': "import { k } from './deep.ts'; export const load = () => k",
      },
      {},
    ],
    [
      'export stars',
      {
        'steps.ts': "export * from './a.ts'",
        'a.ts': "export * from './b.ts'",
        'b.ts': "import { k } from './deep.ts'; export const load = () => k",
      },
      {},
    ],
    [
      'namespace imports',
      { 'steps.ts': "import * as all from './deep.ts'; export const load = (name: 'k') => all[name]" },
      {},
    ],
    ['default exports', { 'steps.ts': "import { k } from './deep.ts'; export default () => k" }, { name: 'default' }],
    [
      'renamed exports',
      { 'steps.ts': "import { k } from './deep.ts'; const own = () => k; export { own as load }" },
      {},
    ],
    [
      'import circles',
      {
        'steps.ts': "import { a } from './a.ts'; export const load = () => a(1); export const self = 1",
        'a.ts':
          "import { k } from './deep.ts'; import { self } from './steps.ts'; export const a = (n: number) => n + k + self",
      },
      {},
    ],
    [
      'dynamic imports with a literal name',
      { 'steps.ts': "export const load = async () => (await import('./deep.ts')).k" },
      {},
    ],
    [
      'dynamic imports of a folder',
      {
        'steps.ts': "export const load = async (name: string) => await import('./lang/' + name + '.ts')",
        'lang/de.ts': "export * from '../deep.ts'",
      },
      {},
    ],
    [
      'CommonJS',
      {
        'steps.ts': "import { load as own } from './a.cjs'; export const load = () => own()",
        'a.cjs': "exports.load = () => require('./deep.ts').k",
      },
      {},
    ],
    [
      'names with the extension of the output',
      { 'steps.ts': "import { k } from './deep.js'; export const load = () => k" },
      {},
    ],
    [
      'path aliases',
      {
        'tsconfig.json': '{ "compilerOptions": { "paths": { "#deep": ["./deep.ts"] } } }',
        'steps.ts': "import { k } from '#deep'; export const load = () => k",
      },
      {},
    ],
  ])('%s', async (_, sources, request) => {
    expect(await around(after, request, { ...sources, ...deep })).toBe(true)
  })

  it('the path aliases of a given tsconfig', async () => {
    const folder = project({
      ...deep,
      'steps.ts': "import { k } from '@/deep'; export const load = () => k",
      'config/other.json': '{ "compilerOptions": { "paths": { "@/*": ["../*"] } } }',
    })
    const request = { file: join(folder, 'steps.ts'), name: 'load', tsconfig: join(folder, 'config/other.json') }
    const { hash, files: read } = await hashExport(request)
    expect(read).toContain(join(folder, 'deep.ts'))
    writeFiles(folder, after)
    expect((await hashExport(request)).hash).not.toBe(hash)
  })

  it.each<[string, string, string | Uint8Array, string | Uint8Array, boolean]>([
    [
      'JSON',
      "import data from './data.json'; export const load = () => data.used",
      '{ "used": 1 }',
      '{ "used": 2 }',
      true,
    ],
    [
      'JSON with an attribute',
      "import data from './data.json' with { type: 'json' }; export const load = () => data",
      '{ "a": 1 }',
      '{ "a": 2 }',
      true,
    ],
    [
      'unused members of JSON',
      "import { used } from './data.json'; export const load = () => used",
      '{ "used": 1, "rest": 1 }',
      '{ "used": 1, "rest": 2 }',
      false,
    ],
    [
      'white space in JSON',
      "import data from './data.json'; export const load = () => data",
      '{"a":1}',
      '{ "a": 1 }',
      false,
    ],
    [
      'WASM',
      "import * as data from './data.wasm'; export const load = () => data",
      Uint8Array.of(0, 97, 115, 109, 1),
      Uint8Array.of(0, 97, 115, 109, 2),
      true,
    ],
    ['text', "import data from './data.txt'; export const load = () => data", 'one', 'two', true],
  ])('%s', async (kind, source, before, later, moves) => {
    const name = /'\.\/(data\.\w+)'/.exec(source)?.[1] ?? kind
    expect(await around({ [name]: later }, {}, { 'steps.ts': source, [name]: before })).toBe(moves)
  })
})

describe('a dynamic import with a computed name', () => {
  it.each([
    'export const load = async (name: string) => await import(name)',
    "export const load = async (name: string) => await import(name + '.ts')",
    'exports.load = (name) => require(name)',
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export const load = (name: string) => require(name)",
  ])('is refused: %s', async (source) => {
    const file = join(project({ 'steps.ts': source }), 'steps.ts')
    await expect(hashExport({ file, name: 'load' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('computed at run time'),
    })
  })

  it('of a sibling does not matter', async () => {
    const source = 'export const other = (name: string) => import(name); export const load = () => 1'
    const file = join(project({ 'steps.ts': source }), 'steps.ts')
    expect((await hashExport({ file, name: 'load' })).hash).toMatch(/^source:/)
  })
})

describe('the depth', () => {
  const chain = {
    'steps.ts': "import { one } from './one.ts'; export const load = () => one() + own; const own = 0",
    'one.ts': "import { two } from './two.ts'; export const one = () => two + 1",
    'two.ts': 'export const two = 2',
  }
  const edits = {
    0: { 'steps.ts': chain['steps.ts'].replace('own = 0', 'own = 5') },
    1: { 'one.ts': chain['one.ts'].replace('+ 1', '+ 5') },
    2: { 'two.ts': 'export const two = 5' },
  }

  it.each([
    [0, [true, false, false]],
    [1, [true, true, false]],
    [2, [true, true, true]],
    [Number.POSITIVE_INFINITY, [true, true, true]],
  ])('%s lets edits of these distances move the hash', async (depth, moves) => {
    expect(await Promise.all(Object.values(edits).map((edit) => around(edit, { depth }, chain)))).toEqual(moves)
  })

  it('of a module is that of its shortest way', async () => {
    const sources = {
      ...chain,
      'steps.ts':
        "import { one } from './one.ts'; import { two } from './two.ts'; export const load = () => one() + two",
    }
    expect(await around(edits[2], { depth: 1 }, sources)).toBe(true)
  })
})

describe('an export that cannot be hashed', () => {
  it.each([
    ['a missing file', {}, 'Could not resolve'],
    ['a missing export', { 'steps.ts': 'export const other = 1' }, 'No matching export'],
    ['a missing import', { 'steps.ts': "import './gone.ts'; export const load = () => 1" }, 'Could not resolve'],
    ['a syntax error', { 'steps.ts': 'export const load = (' }, 'Unexpected end of file'],
  ])('is refused: %s', async (_, sources, reason) => {
    const file = join(project(sources), 'steps.ts')
    await expect(hashExport({ file, name: 'load' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(reason),
    })
  })
})
