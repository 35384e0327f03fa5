import type { Namespace } from './namespace.ts'

let read: (cache: object) => Namespace | undefined = () => undefined

/** Lets the class `Cache` give access to its private namespace. */
export function setNamespaceReader(reader: (cache: object) => Namespace | undefined): void {
  read = reader
}

/** The namespace of a `Cache`, for `@cache/core/inspect`; `undefined` for other objects, also a `Cache` of another copy of the package. */
export function namespaceOf(cache: unknown): Namespace | undefined {
  return typeof cache === 'object' && cache !== null ? read(cache) : undefined
}
