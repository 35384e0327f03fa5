export interface NodeErrorDetails {
  readonly node: string
  readonly item: string | undefined
  readonly input: unknown
  readonly kept: readonly string[]
  readonly cause: unknown
}

/**
 * The rejection of a run whose node failed. Its `cause` is the error of the node's function. Test `name`, never `instanceof`: an application
 * may hold two copies of this package.
 */
export class NodeError extends Error {
  override readonly name: string = 'NodeError'
  /** The name of the node. */
  readonly node: string
  /** Of a map: the name of the item, which the option `key` made; by default its index. */
  readonly item: string | undefined
  /** The first argument of the function: the results of the dependencies, or the item of a map. */
  readonly input: unknown
  /** The nodes of this run whose results are stored. The next run uses them. */
  readonly kept: readonly string[]

  constructor({ node, item, input, kept, cause }: NodeErrorDetails) {
    const of = item === undefined ? '' : ` for the item ${item}`
    const names = kept.length === 0 ? 'no results of other nodes' : `the results of ${kept.join(', ')}`
    super(`run: node '${node}' failed${of}${namesOf(input, item)}: ${messageOf(cause)}; kept: ${names}`, { cause })
    this.node = node
    this.item = item
    this.input = input
    this.kept = kept
  }
}

/** The names of the dependencies. Their values may be large or secret. */
function namesOf(input: unknown, item: string | undefined): string {
  if (item !== undefined || typeof input !== 'object' || input === null) return ''
  const names = Object.keys(input)
  return names.length === 0 ? '' : ` with ${names.join(', ')}`
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
