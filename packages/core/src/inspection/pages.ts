export interface PageOptions {
  /** The `cursor` of an earlier page, to go on behind it. Default: begin. */
  readonly cursor?: string | undefined
}

/** A part of an iteration. */
interface Page {
  /** How many keys of the store were looked at for this page. */
  readonly scanned: number
  /** Whether the iteration is over. */
  readonly complete: boolean
  /** Gives the next page; absent when the iteration is over. A cursor ends when it was used, and after a minute. */
  readonly cursor?: string
}

export interface KeyPage extends Page {
  /** Keys of the namespace, as the application knows them. May be empty although the iteration goes on. */
  readonly keys: readonly string[]
}

export interface NamespacePage extends Page {
  /** The namespaces found so far, in this page and those before it, with their numbers of keys. */
  readonly namespaces: readonly {
    /** Relative to the inspected cache; empty for its own keys. */
    readonly namespace: readonly string[]
    readonly keys: number
  }[]
  /** Keys of further namespaces: no more than 1,000 are told apart. */
  readonly otherKeys: number
}
