import { posix } from 'node:path'

/** Links of Markdown: `](target)` or `](target#anchor)`. */
const link = /\]\(([^)\s]+)\)/g

/** Whether a file or folder of a package, relative to it, is in its tarball. */
export function isPacked(path: string, files: readonly string[]): boolean {
  return files.some((packed) => path === packed || path.startsWith(`${packed}/`))
}

/**
 * The text of a page of a package in which each link to a file outside its tarball leads to the repository. `home` is the
 * address of the repository's files, `folder` the package in it, such as `packages/core`.
 */
export function withRepositoryLinks(text: string, home: string, folder: string, files: readonly string[]): string {
  return text.replaceAll(link, (whole, target: string) => {
    if (/^(?:[a-z]+:|#)/.test(target)) return whole
    const [path = '', anchor] = target.split('#')
    if (isPacked(posix.normalize(path), files)) return whole
    const address = `${home}/${posix.join(folder, path)}`
    return `](${anchor === undefined ? address : `${address}#${anchor}`})`
  })
}
