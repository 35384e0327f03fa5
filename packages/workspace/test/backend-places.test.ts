import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findMissingPlaces } from '../src/backend-places/find-missing-places.ts'
import { composites, notBackends, places } from '../src/backend-places/places.ts'
import { publicPackages, root } from '../src/verify/workspace.ts'

const names = (await publicPackages()).map(({ directory }) => basename(directory))
const backends = names.filter((name) => !notBackends.includes(name))

/** A repository that has every place of a backend, except those that `leftOut` names. */
async function repositoryWithout(name: string, leftOut: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cache-places-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  for (const { path, text = '' } of places.filter((place) => place.content !== leftOut)) {
    const isFolder = path === '.changeset' || path.endsWith('/test')
    const file = join(directory, (isFolder ? `${path}/file` : path).replaceAll('<name>', name))
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, `${text.replaceAll('<name>', name)}\n`, { flag: 'a' })
  }
  return directory
}

describe('a backend package of this repository', () => {
  for (const name of backends) {
    it(`appears in every place that a backend touches (${name})`, async () => {
      expect(await findMissingPlaces(root, name)).toEqual([])
    })
  }

  it('is every public package that is not listed as something else', () => {
    expect(backends.length).toBeGreaterThan(5)
    expect([...notBackends, ...composites].filter((name) => !names.includes(name))).toEqual([])
  })
})

describe('the search for missing places', () => {
  it('finds every place of a package that does not exist', async () => {
    const missing = await findMissingPlaces(root, 'nowhere')
    const general = ['packages/nowhere/test: the conformance suite', 'README.md: the table of packages']
    expect(missing).toEqual(expect.arrayContaining(general))
    expect(missing).toHaveLength(places.filter(({ only }) => only !== 'composites').length)
  })

  it('finds nothing where every place exists', async () => {
    expect(await findMissingPlaces(await repositoryWithout('made-up', ''), 'made-up')).toEqual([])
  })

  it.each(places)('finds the absence of $path: $content', async ({ path, content, only }) => {
    const [composite = ''] = composites
    const name = only === 'composites' ? composite : 'made-up'
    const missing = await findMissingPlaces(await repositoryWithout(name, content), name)
    expect(missing).toContain(`${path.replaceAll('<name>', name)}: ${content}`)
  })

  it('accepts a changelog in the place of a changeset', async () => {
    const directory = await repositoryWithout('made-up', 'the first release')
    await writeFile(join(directory, 'packages/made-up/CHANGELOG.md'), '# @cache/made-up\n')
    expect(await findMissingPlaces(directory, 'made-up')).toEqual([])
  })

  it('asks a composite backend for no store of its own', async () => {
    const [composite = ''] = composites
    const directory = await repositoryWithout(composite, 'the quickstart')
    expect(await findMissingPlaces(directory, composite)).toEqual([])
  })
})

describe('CONTRIBUTING.md', () => {
  it('names every place that a backend touches', async () => {
    const text = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8')
    expect(places.filter(({ path }) => !text.includes(`\`${path}\``)).map(({ path }) => path)).toEqual([])
  })
})
