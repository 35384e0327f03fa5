import { expect, it } from 'vitest'
import { Semaphore } from '../../src/batching/semaphore.ts'

/** Tasks that end when `end` is called. */
function works(): { readonly begun: string[]; begin(name: string): () => Promise<string>; end(error?: Error): void } {
  const begun: string[] = []
  const ends: ((error?: Error) => void)[] = []
  return {
    begun,
    begin: (name) => () =>
      new Promise((resolve, reject) => {
        begun.push(name)
        ends.push((error) => (error === undefined ? resolve(name) : reject(error)))
      }),
    end: (error) => ends.shift()?.(error),
  }
}

async function tick(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

it('a semaphore runs as many tasks at once as it has permits, and the others in their order', async () => {
  const semaphore = new Semaphore(2)
  const { begun, begin, end } = works()
  const running = ['a', 'b', 'c', 'd'].map((name) => semaphore.run(begin(name)))
  await tick()
  expect(begun).toEqual(['a', 'b'])
  end()
  await tick()
  expect(begun).toEqual(['a', 'b', 'c'])
  end()
  end()
  await tick()
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
  end()
  expect(await Promise.all(running)).toEqual(['a', 'b', 'c', 'd'])
})

it('a permit is free again after a task that failed, whether another task waits or not', async () => {
  const semaphore = new Semaphore(1)
  for (let round = 0; round < 3; round += 1) {
    const { begin, end } = works()
    const failing = semaphore.run(begin('failing'))
    const waiting = semaphore.run(begin('waiting'))
    await tick()
    end(new Error('failed'))
    await expect(failing).rejects.toThrow('failed')
    await tick()
    end()
    expect(await waiting).toBe('waiting')
  }
})
