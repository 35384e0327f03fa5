/** What a node depends on: an input of the run, or the result of a node. */
export interface Outcome {
  /** The hash of the value. */
  readonly hash: string
  value(): Promise<unknown>
  /** The hash of a value in place of this one: equal to `hash` as long as no function has changed the value. */
  hashOf(value: unknown): string
  /** Of a map: its results one by one. */
  readonly elements?: Elements | undefined
}

/** The results of a map. */
export interface Elements {
  hashes(): Promise<readonly string[]>
  /** The results at these indexes. */
  valuesAt(indexes: readonly number[]): Promise<readonly unknown[]>
}
