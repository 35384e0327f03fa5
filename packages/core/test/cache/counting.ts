/** A number that differs at every load. */
export function counting(): { loader: () => Promise<number>; runs: () => number } {
  let runs = 0
  return {
    loader: async () => {
      runs += 1
      return runs
    },
    runs: () => runs,
  }
}
