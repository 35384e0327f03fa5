/** What a crash writer stores: it can tell by itself whether it is whole. */
export interface Written {
  readonly writer: string
  readonly step: number
  readonly text: string
}

/** Small, so that many value files are written. */
export const largeValueBytes = 4096
