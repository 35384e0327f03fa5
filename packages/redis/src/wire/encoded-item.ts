/** An item that is to be stored, as the bytes that Redis will hold. */
export interface EncodedItem {
  readonly key: string
  readonly bytes: Buffer
  readonly expiresAt: number | undefined
}
