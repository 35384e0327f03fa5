/** A place of the repository that a backend package has to appear in. `<name>` stands for the folder in `packages`. */
export interface Place {
  /** A file, or a folder of whose files one must match, from the top of the repository. */
  readonly path: string
  /** What has to be there, as a reader of CONTRIBUTING.md sees it. */
  readonly content: string
  /** A text of the file, with `<name>`. Default: any text. */
  readonly text?: string
  /** A file that may have the text instead. */
  readonly orPath?: string
  /** The backends that need it: those with a store of their own, or those made of other backends. Default: all. */
  readonly only?: 'stores' | 'composites'
}

/** Public packages that are no backends. */
export const notBackends: readonly string[] = ['codecs', 'core', 'http', 'keyv', 'next', 'pipeline', 'testing']

/** Backends made of other backends. */
export const composites: readonly string[] = ['layered', 'resilient', 'sharded']

/** Every place, in the order in which CONTRIBUTING.md lists them. */
export const places: readonly Place[] = [
  { path: 'packages/<name>/package.json', content: 'the peer dependency', text: '"@cache/core": "workspace:^"' },
  { path: 'packages/<name>/package.json', content: 'the exports of the sources', text: '".": "./src/index.ts"' },
  { path: 'packages/<name>/package.json', content: 'the published exports', text: '"types": "./dist/index.d.ts"' },
  { path: 'packages/<name>/LICENSE', content: 'the licence' },
  { path: 'packages/<name>/README.md', content: 'the page for users', text: '# @cache/<name>' },
  { path: 'packages/<name>/tsconfig.json', content: 'the type check' },
  { path: 'packages/<name>/src/index.ts', content: 'the public names', text: './<name>-backend.ts' },
  { path: 'packages/<name>/src/<name>-backend.ts', content: 'the backend' },
  { path: 'packages/<name>/test', content: 'the conformance suite', text: "from '@cache/core/conformance'" },
  { path: 'packages/workspace/src/architecture/packages/<name>.ts', content: 'the table of rooms' },
  { path: 'packages/workspace/smoke/smoke.mjs', content: 'one use as an application', text: "'@cache/<name>': async" },
  {
    path: 'packages/workspace/smoke/packed-conformance.mjs',
    content: 'the packed suite',
    text: "from '@cache/<name>'",
  },
  { path: 'docs/package.json', content: 'the dependency of the tests', text: '"@cache/<name>": "workspace:*"' },
  { path: 'docs/test/real-backends.ts', content: 'the cache on this backend', text: "from '@cache/<name>'" },
  {
    path: 'docs/examples/quickstart/backends.ts',
    content: 'the quickstart',
    text: "from '@cache/<name>'",
    only: 'stores',
  },
  {
    path: 'packages/bench/package.json',
    content: 'the dependency of the benchmarks',
    text: '"@cache/<name>": "workspace:*"',
    only: 'stores',
  },
  { path: 'packages/bench/src/<name>/suite.ts', content: 'a suite against its peers', only: 'stores' },
  {
    path: 'packages/bench/src/suites.ts',
    content: 'the name of that suite',
    text: './<name>/suite.ts',
    only: 'stores',
  },
  { path: 'README.md', content: 'the table of packages', text: '[`@cache/<name>`](packages/<name>)' },
  { path: 'docs/architecture.md', content: 'the table of packages', text: '(../packages/<name>)' },
  {
    path: 'packages/workspace/src/verify/check-installed.ts',
    content: 'the packages that it is installed with',
    text: "'@cache/<name>': [",
    only: 'composites',
  },
  {
    path: '.changeset',
    content: 'the first release',
    text: '@cache/<name>',
    // `changeset version` moves the text there.
    orPath: 'packages/<name>/CHANGELOG.md',
  },
]
