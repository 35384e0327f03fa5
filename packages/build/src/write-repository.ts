// `node packages/build/src/write-repository.ts <url> <ref>`, run by the release workflow before it publishes: the address of
// the repository in each public `package.json`, and links from its pages to that repository. Nothing commits these changes.
import { globSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readManifest } from './manifest.ts'
import { repositoryFields } from './repository-fields.ts'
import { withRepositoryLinks } from './repository-links.ts'

const root = join(import.meta.dirname, '../../..')
const [url, ref] = process.argv.slice(2)
if (url === undefined || ref === undefined || !URL.canParse(url)) {
  throw new Error('give the address of the repository and a branch, tag or commit: write-repository.ts <url> <ref>')
}

for (const file of globSync('packages/*/package.json', { cwd: root })) {
  const folder = dirname(file)
  const manifest = await readManifest(join(root, folder))
  if (manifest.private === true) continue
  const written = { ...manifest, ...repositoryFields(url, folder) }
  await writeFile(join(root, file), `${JSON.stringify(written, undefined, 2)}\n`)
  for (const page of globSync(`${folder}/*.md`, { cwd: root })) {
    const text = await readFile(join(root, page), 'utf8')
    const linked = withRepositoryLinks(text, `${url}/blob/${ref}`, folder, manifest.files ?? [])
    await writeFile(join(root, page), linked)
  }
}
