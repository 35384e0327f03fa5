import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { dts } from 'rolldown-plugin-dts'
import type { EntryPoint } from './entry-points.ts'

/**
 * Writes the declarations of each entry point. The types are in the `.d.cts` files. The `.d.ts` files export those types
 * again: TypeScript would otherwise see two versions of each class in a project that uses both formats.
 */
export async function buildDeclarations(directory: string, entries: readonly EntryPoint[]): Promise<void> {
  const dist = join(directory, 'dist')
  await using bundle = await rolldown({
    cwd: directory,
    input: Object.fromEntries(entries.map(({ name, source }) => [`${name}.d`, source])),
    external: (specifier) => !/^[./]/.test(specifier),
    plugins: [dts({ dtsOnly: true, generator: 'oxc', cwd: directory, sourcemap: false, oxc: { stripInternal: true } })],
  })
  await bundle.write({
    dir: dist,
    format: 'es',
    entryFileNames: '[name].cts',
    chunkFileNames: '[name].cts',
    codeSplitting: { groups: [{ name: 'shared.d', minShareCount: 2 }] },
  })
  for (const { name } of entries) await writeFile(join(dist, `${name}.d.ts`), `export * from './${name}.cjs'\n`)
}
