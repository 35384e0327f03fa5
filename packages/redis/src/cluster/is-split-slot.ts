/** Whether Redis Cluster carried nothing out because the slot is moving and its keys lie on two nodes. */
export function isSplitSlot(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('TRYAGAIN')
}
