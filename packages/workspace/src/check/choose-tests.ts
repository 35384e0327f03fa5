/** The tests that one package has to run. */
export interface ChosenTests {
  /** The package's folder, from the top of the repository. */
  readonly folder: string
  /** Files of the package whose tests run: the tests that import one of them, and the files that are tests. */
  readonly related: readonly string[] | 'all'
}

/** Quick tests that read files of the whole repository without importing them, by the folder of their package. */
const always: Readonly<Record<string, readonly string[]>> = {
  'packages/workspace': ['test/architecture.test.ts', 'test/backend-places.test.ts'],
  docs: ['test/decisions.test.ts', 'test/pages.test.ts'],
}

/** Files that decide how the tests of a package run. */
const decisive = ['package.json', 'vitest.config.ts']

/** The tests of the packages in `folders` to run after a change of the files `changed`, in the order of the folders. */
export function chooseTests(folders: readonly string[], changed: readonly string[]): ChosenTests[] {
  const chosen: ChosenTests[] = []
  for (const folder of folders) {
    const own = changed.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1))
    if (own.some((path) => decisive.includes(path))) {
      chosen.push({ folder, related: 'all' })
      continue
    }
    const sources = own.filter((path) => /\.(?:ts|mjs)$/.test(path))
    const related = [...new Set([...sources, ...(always[folder] ?? [])])]
    if (related.length > 0) chosen.push({ folder, related })
  }
  return chosen
}
