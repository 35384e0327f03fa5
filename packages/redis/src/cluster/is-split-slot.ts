/** Whether a Cluster refused a command because its slot is moving, so that its keys lie on two nodes. */
export function isSplitSlot(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('TRYAGAIN')
}
