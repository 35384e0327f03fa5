/** The name under which an application imports `sourceCode`. */
export const sourceEntry = '@cache/pipeline/source'

/**
 * The module that takes the place of `@cache/pipeline/source` in a bundle: all functions have their hashes from the build, so it needs neither
 * sources nor esbuild. A function without a hash is identified by its text.
 */
export const sourceStub = `export const sourceCode = () => ({ hashOf: () => undefined })
export const hashExport = () => Promise.reject(new Error('hashExport is not part of a bundle'))
`
