/** A value of a crash writer. A reader can check from its content alone whether it is whole. */
export interface Written {
  readonly writer: string
  readonly step: number
  readonly text: string
}

/** Small, so that many value files are written. */
export const largeValueBytes = 4096
