import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { changedFiles } from '../src/check/changed-files.ts'
import { chooseTests } from '../src/check/choose-tests.ts'
import { runCommand } from '../src/verify/run-command.ts'

/** A git repository whose branch `main` holds `kept.ts`, `changed.ts` and `deleted.ts`. */
async function repository(): Promise<{ directory: string; git: (...args: string[]) => Promise<string> }> {
  const directory = await mkdtemp(join(tmpdir(), 'cache-check-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false']
  const git = (...args: string[]): Promise<string> => runCommand('git', [...identity, ...args], { cwd: directory })
  await git('init', '--quiet', '--initial-branch=main')
  for (const name of ['kept.ts', 'changed.ts', 'deleted.ts']) await writeFile(join(directory, name), name)
  await git('add', '.')
  await git('commit', '--quiet', '--message=first')
  return { directory, git }
}

describe('the changed files', () => {
  it('are none in a clean branch', async () => {
    const { directory } = await repository()
    expect(await changedFiles(directory, 'main')).toEqual([])
  })

  it('are those of the commits since the branch point, with uncommitted and untracked ones, without deleted ones', async () => {
    const { directory, git } = await repository()
    await git('switch', '--quiet', '--create', 'work')
    await writeFile(join(directory, 'committed.ts'), '')
    await git('add', '.')
    await git('commit', '--quiet', '--message=second')
    await writeFile(join(directory, 'changed.ts'), 'something else')
    await mkdir(join(directory, 'new'))
    await writeFile(join(directory, 'new', 'grüße.ts'), '')
    await git('rm', '--quiet', 'deleted.ts')
    expect(await changedFiles(directory, 'main')).toEqual(['changed.ts', 'committed.ts', 'new/grüße.ts'])
  })

  it('exclude changes of the other branch', async () => {
    const { directory, git } = await repository()
    await git('branch', 'work')
    await writeFile(join(directory, 'kept.ts'), 'changed on main')
    await git('commit', '--quiet', '--all', '--message=second')
    await git('switch', '--quiet', 'work')
    expect(await changedFiles(directory, 'main')).toEqual([])
  })

  it('cannot be found without a common commit', async () => {
    const { directory } = await repository()
    await expect(changedFiles(directory, 'nowhere')).rejects.toThrow("git finds no common commit with 'nowhere'")
  })
})

describe('the chosen tests', () => {
  const folders = ['packages/core', 'packages/core-extra', 'packages/workspace', 'docs']
  const architecture = {
    folder: 'packages/workspace',
    related: ['test/architecture.test.ts', 'test/backend-places.test.ts'],
  }
  const pages = { folder: 'docs', related: ['test/decisions.test.ts', 'test/pages.test.ts'] }

  it('always include the checks of the architecture and of the pages', () => {
    expect(chooseTests(folders, [])).toEqual([architecture, pages])
  })

  it('are those related to the changed sources of each package', () => {
    const changed = ['packages/core/src/a.ts', 'packages/core/test/b.test.ts', 'docs/test/c.test.ts']
    expect(chooseTests(folders, changed)).toEqual([
      { folder: 'packages/core', related: ['src/a.ts', 'test/b.test.ts'] },
      architecture,
      { folder: 'docs', related: ['test/c.test.ts', 'test/decisions.test.ts', 'test/pages.test.ts'] },
    ])
  })

  it('are all tests of a package whose manifest or test configuration has changed', () => {
    const changed = ['packages/core/package.json', 'packages/core/src/a.ts', 'docs/vitest.config.ts']
    expect(chooseTests(folders, changed)).toEqual([
      { folder: 'packages/core', related: 'all' },
      architecture,
      { folder: 'docs', related: 'all' },
    ])
  })

  it('ignore changed pages and files outside of all packages', () => {
    expect(chooseTests(folders, ['README.md', 'docs/races.md', 'turbo.json', 'src/a.ts'])).toEqual([
      architecture,
      pages,
    ])
  })

  it('name a test once that has changed and always runs', () => {
    expect(chooseTests(folders, ['packages/workspace/test/architecture.test.ts'])).toEqual([architecture, pages])
  })
})
