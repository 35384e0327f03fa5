/** Ends the work of a run: the result of a node is not wanted any more, because another node failed. */
export class Stopped extends Error {
  readonly run: object

  constructor(run: object) {
    super('the run was stopped by a failed node')
    this.run = run
  }
}

/**
 * A node was computed again because its blob was lost, and its function returned another result. Nodes that depend on it have to be looked
 * up again, with the new hash.
 */
export class ResultChanged extends Error {
  readonly run: object

  constructor(run: object, node: string) {
    super(`the result of node '${node}' has changed`)
    this.run = run
  }
}
