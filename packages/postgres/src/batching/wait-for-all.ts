/** One promise for many calls: resolves to `result` when all have resolved, and rejects when one of them rejects. */
export function waitForAll<Result>(
  calls: number,
  result: Result,
  start: (resolve: () => void, reject: (error: unknown) => void) => void,
): Promise<Result> {
  if (calls === 0) return Promise.resolve(result)
  return new Promise((resolve, reject) => {
    let left = calls
    start(() => {
      left -= 1
      if (left === 0) resolve(result)
    }, reject)
  })
}
