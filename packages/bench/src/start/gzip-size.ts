import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'

/** The kilobytes of a minified bundle of some exports, compressed. Dependencies besides `@cache/*` stay outside. */
export async function gzipSize(folder: string, name: string, source: string): Promise<number> {
  const input = join(folder, `${name}.js`)
  await writeFile(input, source)
  await using bundle = await rolldown({
    cwd: folder,
    input,
    platform: 'node',
    external: (specifier) => !/^(?:[./]|@cache\/)/.test(specifier),
  })
  const { output } = await bundle.generate({ format: 'es', minify: true, codeSplitting: false })
  return gzipSync(output[0].code, { level: 9 }).length / 1000
}
