/** The failure of a node's function inside a run, before the run knows which results it keeps. */
export class NodeFailure extends Error {
  readonly node: string
  readonly item: string | undefined
  readonly input: unknown

  constructor(node: string, input: unknown, cause: unknown, item?: string) {
    super(`node '${node}' failed`, { cause })
    this.node = node
    this.item = item
    this.input = input
  }
}
