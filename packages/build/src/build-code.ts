import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type InputOptions, type OutputOptions, rolldown } from 'rolldown'
import type { EntryPoint } from './entry-points.ts'
import { onlyEsm } from './only-esm.ts'

function inputs(entries: readonly EntryPoint[]): Record<string, string> {
  return Object.fromEntries(entries.map(({ name, source }) => [name, source]))
}

/** The files that start as a thread of their own, `src/…-worker.ts`. They are always ES modules. */
function workers(directory: string): Record<string, string> {
  const files = globSync('src/**/*-worker.ts', { cwd: directory })
  return Object.fromEntries(files.map((file) => [basename(file, '.ts'), `./${file}`]))
}

/** Whether an import stays an import of another package. */
function isExternal(specifier: string): boolean {
  return !/^[./]/.test(specifier)
}

async function write(input: InputOptions, output: OutputOptions): Promise<void> {
  await using bundle = await rolldown(input)
  await bundle.write(output)
}

/**
 * Writes one ES module and one CommonJS file for each entry point. Modules that entry points share are in a chunk, so each
 * class and each state of the package exists once in each of the two formats.
 */
export async function buildCode(directory: string, entries: readonly EntryPoint[]): Promise<void> {
  const shared: OutputOptions = {
    dir: join(directory, 'dist'),
    sourcemap: true,
    comments: { jsdoc: false },
    // One chunk: each file more costs a process half a millisecond at its start.
    codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] },
  }
  const input: InputOptions = { cwd: directory, platform: 'node', external: isExternal }
  await write(
    { ...input, input: { ...inputs(entries), ...workers(directory) } },
    { ...shared, format: 'es', entryFileNames: '[name].js', chunkFileNames: '[name].js', minifyInternalExports: false },
  )
  await write(
    { ...input, input: inputs(entries), external: (name) => isExternal(name) && !onlyEsm.includes(name) },
    {
      ...shared,
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name].cjs',
      // Jest gives CommonJS files no `import()`.
      dynamicImportInCjs: false,
    },
  )
}
