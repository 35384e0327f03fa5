/** The number of value files that this process has open at once. Node's pool reads four of them at a time. */
const slots = 32

let free = slots
const waiting: (() => void)[] = []

/**
 * Runs work that has a file open, after other work when too much of it runs. The operating system limits the open files
 * of a process, often to 1024, and the application needs some of them.
 */
export async function withFileSlot<Result>(work: () => Promise<Result>): Promise<Result> {
  if (free > 0) free -= 1
  else await new Promise<void>((resolve) => waiting.push(resolve))
  try {
    return await work()
  } finally {
    // The slot passes to the next caller directly, so that no later caller overtakes it.
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  }
}
