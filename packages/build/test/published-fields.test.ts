import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Manifest, readManifest } from '../src/manifest.ts'
import { publishConfig, publishedFields } from '../src/published-fields.ts'

const packages = join(import.meta.dirname, '../..')

async function publicManifests(): Promise<Manifest[]> {
  const names = (await readdir(packages)).sort()
  const manifests = await Promise.all(names.map((name) => readManifest(join(packages, name))))
  return manifests.filter((one) => one.private !== true)
}

it('every public package publishes the fields of its entry points (`pnpm --filter @cache/build manifests` writes them)', async () => {
  const manifests = await publicManifests()
  expect(manifests.length).toBeGreaterThan(0)
  for (const manifest of manifests) {
    // As text, because the order of conditions counts.
    expect(JSON.stringify(manifest.publishConfig), manifest.name).toBe(JSON.stringify(publishConfig(manifest)))
  }
})

it('a subpath has conditions for both formats, and types for TypeScript that reads no conditions', () => {
  const manifest = { name: 'some', exports: { '.': './src/index.ts', './a/b': './src/deep/index.ts' } }
  const esm = { types: './dist/a-b.d.ts', default: './dist/a-b.js' }
  const { exports, main, types, typesVersions } = publishedFields(manifest)
  expect(Object.entries(exports['./a/b'] ?? {})).toEqual([
    ['module-sync', esm],
    ['module', esm],
    ['import', esm],
    ['bun', esm],
    ['require', { types: './dist/a-b.d.cts', default: './dist/a-b.cjs' }],
  ])
  expect([main, types]).toEqual(['./dist/index.cjs', './dist/index.d.cts'])
  expect(typesVersions).toEqual({ '*': { 'a/b': ['./dist/a-b.d.cts'] } })
})
