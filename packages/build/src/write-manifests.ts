// `pnpm --filter @cache/build manifests`: derives `publishConfig` of every public package from its `exports`.
import { glob, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Manifest, readManifest } from './manifest.ts'
import { publishConfig } from './published-fields.ts'

const packages = join(import.meta.dirname, '../..')

for await (const file of glob('*/package.json', { cwd: packages })) {
  const manifest = await readManifest(join(packages, dirname(file)))
  if (manifest.private === true) continue
  const written: Manifest = { ...manifest, publishConfig: publishConfig(manifest) }
  await writeFile(join(packages, file), `${JSON.stringify(written, undefined, 2)}\n`)
}
