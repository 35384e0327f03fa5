import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readManifest } from '../src/manifest.ts'
import { repositoryFields } from '../src/repository-fields.ts'
import { isPacked, withRepositoryLinks } from '../src/repository-links.ts'

const root = join(import.meta.dirname, '../../..')
const home = 'https://example.org/cache/blob/v1'

describe('a link in a page of a package', () => {
  const rewritten = (target: string): string =>
    withRepositoryLinks(`[text](${target})`, home, 'packages/core', ['dist', 'README.md', 'CONTRACT.md']).slice(7, -1)

  it.each([
    ['../../docs/glossary.md', `${home}/docs/glossary.md`],
    ['../postgres#in-a-transaction', `${home}/packages/postgres#in-a-transaction`],
    ['src/protocol/stats.ts', `${home}/packages/core/src/protocol/stats.ts`],
  ])('leads to the repository where its file is not in the tarball (%s)', (target, expected) => {
    expect(rewritten(target)).toBe(expected)
  })

  it.each(['CONTRACT.md', './CONTRACT.md#keys', '#install', 'https://example.com/page'])(
    'stays as it is where it works from the tarball (%s)',
    (target) => {
      expect(rewritten(target)).toBe(target)
    },
  )
})

describe('the published pages', () => {
  for (const page of globSync('packages/*/{README,CONTRACT,FORMAT}.md', { cwd: root }).sort()) {
    it(`of ${page} link to files of the tarball or to addresses`, async () => {
      const { files = [], private: isPrivate } = await readManifest(join(root, dirname(page)))
      if (isPrivate === true) return
      expect(files).toContain(basename(page))
      const text = withRepositoryLinks(readFileSync(join(root, page), 'utf8'), home, dirname(page), files)
      const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '')
      const inTarball = (target: string): boolean => isPacked(target.replace(/^\.\//, '').replace(/#.*/, ''), files)
      expect(targets.filter((target) => !/^(?:https:|#)/.test(target) && !inTarball(target))).toEqual([])
    })
  }
})

it('the repository fields name the folder of the package', () => {
  expect(repositoryFields('https://example.org/cache', 'packages/core')).toEqual({
    repository: { type: 'git', url: 'git+https://example.org/cache.git', directory: 'packages/core' },
    homepage: 'https://example.org/cache/tree/main/packages/core#readme',
    bugs: 'https://example.org/cache/issues',
  })
})
