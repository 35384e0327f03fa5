import { expect, it } from 'vitest'
import { input, type PipelineNode, pipeline } from '../src/index.ts'
import { openCache } from './rig.ts'

/** Compiles for two equal types only. */
type Same<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : never
function same<Type extends true>(_: Type): void {}

it('types follow from dependencies, and wrong ones do not compile', async () => {
  const { cache } = openCache()
  const inputs = { dir: input<string>(), limit: input<number>() }
  const p = pipeline({ name: 'p', cache, env: { model: 'x' }, inputs })
  const { dir } = p.inputs
  const list = p.node('list', { version: '1', deps: { dir } }, async ({ dir }) => [{ id: 1, text: dir }])
  const sizes = p.map('sizes', { version: '1', over: list, key: (row) => row.id }, (row) => row.text.length)
  const sum = p.node('sum', { version: '1', deps: { sizes, list } }, ({ sizes, list }, { env }) => {
    same<Same<typeof sizes, number[]>>(true)
    same<Same<typeof list, { id: number; text: string }[]>>(true)
    same<Same<typeof env.model, 'x'>>(true)
    return sizes.length
  })
  const all = p.node('all', { version: '1' }, (values) => {
    same<Same<typeof values.limit, number>>(true)
    return values.dir
  })
  same<Same<typeof sum, PipelineNode<number, 'dir'>>>(true)
  same<Same<typeof all, PipelineNode<string, 'dir' | 'limit'>>>(true)
  const { value } = await p.run(sum, { dir: 'a' })
  same<Same<typeof value, number>>(true)
  expect(value).toBe(1)
  const free = p.node('free', { version: '1', deps: {} }, () => 1)
  expect((await p.run(free)).value).toBe(1)

  const wrong: readonly (() => unknown)[] = [
    // @ts-expect-error: `list` is an array of rows.
    () => p.node('w1', { deps: { list } }, ({ list }: { list: string }) => list),
    // @ts-expect-error: there is no dependency `other`.
    () => p.node('w2', { deps: { list } }, ({ other }) => other),
    // @ts-expect-error: the items have no member `name`.
    () => p.map('w3', { over: list }, (row) => row.name),
    // @ts-expect-error: the items of `sizes` are numbers.
    () => p.map('w4', { over: sizes, key: (row: string) => row }, () => 1),
    // @ts-expect-error: a map needs an array.
    () => p.map('w5', { over: sum }, (item) => item),
    // @ts-expect-error: the input `dir` is missing.
    () => p.run(sum, {}),
    // @ts-expect-error: the inputs are missing.
    () => p.run(sum),
    // @ts-expect-error: `dir` is a text.
    () => p.run(sum, { dir: 1 }),
    // @ts-expect-error: `limit` is missing.
    () => p.explain(all, { dir: 'a' }),
    // @ts-expect-error: a dependency is a node or the name of one.
    () => p.node('w6', { deps: { list: 1 } }, () => 1),
    // @ts-expect-error: the environment has no such member.
    () => p.node('w7', { deps: {} }, (_, { env }) => env.other),
    // @ts-expect-error: the value of a node that is given by name is unknown.
    () => p.node('w8', { deps: { list: 'list' } }, ({ list }) => list.length),
    // @ts-expect-error: there is no such input.
    () => p.inputs.other,
  ]
  expect(wrong).toHaveLength(13)
})
