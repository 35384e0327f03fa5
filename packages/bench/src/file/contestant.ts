/** A store on disk as the rows use it. Keys and values are texts, so that no candidate is measured by its codec. */
export interface Contestant {
  get(key: string): unknown
  set(key: string, value: string): unknown
  /** Values in the order of the keys. Absent: as many gets at once. */
  getMany?(keys: readonly string[]): Promise<readonly unknown[]> | readonly unknown[]
  /** Absent: as many sets at once. */
  setMany?(entries: readonly (readonly [string, string])[]): Promise<unknown> | unknown
  close(): unknown
}

/** Opens a store in a folder, or as a file in it. */
export type OpenStore = (dir: string) => Promise<Contestant>
