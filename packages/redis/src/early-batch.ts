/** Fewer are not worth a write of their own. */
const least = 32

/**
 * How many gathered requests are sent at once rather than at the end of the tick, when so many are under way: half of
 * them, so that the server works on one half while this process prepares the other (a quarter more gets per second at 100
 * at once; docs/decisions/0021).
 */
export function earlyBatch(underWay: number): number {
  return Math.max(least, underWay >> 1)
}
