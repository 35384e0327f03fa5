import { expect, it } from 'vitest'
import { madeTraffic } from '../src/hit-ratio/made-traffic.ts'

it('made traffic is equal at every call, and its kinds differ', () => {
  const first = [...madeTraffic()]
  const again = [...madeTraffic()]
  expect(again.map(({ name }) => name)).toEqual(first.map(({ name }) => name))
  expect(again.map(({ keys }) => keys)).toEqual(first.map(({ keys }) => keys))
  for (const { keys } of first) {
    expect(keys.length).toBe(200_000)
    expect(new Set(keys).size).toBeGreaterThan(1000)
  }
  expect(new Set(first.map(({ keys }) => keys.slice(0, 20_000).join(' '))).size).toBe(first.length)
})
