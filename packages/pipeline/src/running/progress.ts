/** A step of a run, for its option `onProgress`. */
export interface Progress {
  readonly node: string
  /** `started`: its function begins. `item`: one more item of a map has its result. `hit` and `computed`: the node is finished. */
  readonly step: 'started' | 'item' | 'hit' | 'computed'
  /** How many nodes of the run are finished. */
  readonly done: number
  /** How many nodes the run has, without inputs. */
  readonly total: number
  /** Of a map: how many items have their result, and how many there are. */
  readonly items?: { readonly done: number; readonly total: number }
}
