import { isPromise, type MaybePromise } from './maybe-promise.ts'

/**
 * Resolves to all results in their order. Rejects with the first failure in that order, but only once every promise has
 * settled: no call still runs when its caller hears of the failure.
 */
export async function settleAll<Result>(results: readonly MaybePromise<Result>[]): Promise<Result[]> {
  const outcomes = await Promise.allSettled(results)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value as Result
  })
}

/**
 * Calls `call` for every element and gives the results in their order: at once when no call returns a promise, otherwise as
 * `settleAll` does. A call that throws ends the loop; calls already running settle before the failure is reported.
 */
export function callAll<Element, Result>(
  elements: Iterable<Element>,
  call: (element: Element) => MaybePromise<Result>,
): MaybePromise<Result[]> {
  const results: MaybePromise<Result>[] = []
  let waits = false
  try {
    for (const element of elements) {
      const result = call(element)
      if (isPromise(result)) waits = true
      results.push(result)
    }
  } catch (error) {
    if (!waits) throw error
    results.push(Promise.reject(error))
  }
  return waits ? settleAll(results) : (results as Result[])
}
