import { expect, it } from 'vitest'
import { Gate } from '../../src/batching/semaphore.ts'

/** Work that ends when it is told. */
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

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

it('as many pass at once as there are places, and the others in their order as places become free', async () => {
  const gate = new Gate(2)
  const { begun, begin, end } = works()
  const passing = ['a', 'b', 'c', 'd'].map((name) => gate.pass(begin(name)))
  await turn()
  expect(begun).toEqual(['a', 'b'])
  end()
  await turn()
  expect(begun).toEqual(['a', 'b', 'c'])
  end()
  end()
  await turn()
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
  end()
  expect(await Promise.all(passing)).toEqual(['a', 'b', 'c', 'd'])
})

it('a place is free again when nobody waits for it, and when its work has failed', async () => {
  const gate = new Gate(1)
  for (let round = 0; round < 3; round++) {
    const { begin, end } = works()
    const failing = gate.pass(begin('failing'))
    const waiting = gate.pass(begin('waiting'))
    await turn()
    end(new Error('failed'))
    await expect(failing).rejects.toThrow('failed')
    await turn()
    end()
    expect(await waiting).toBe('waiting')
  }
})
