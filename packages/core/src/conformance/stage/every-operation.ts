import type { CacheBackend } from '../../protocol/backend.ts'
import { collect } from './collect.ts'
import type { Stage } from './stage.ts'

/** One call of every method of the backend, by name. Each call is an ordinary one that succeeds on a working store. */
export function everyOperation(
  backend: CacheBackend,
  stage: Pick<Stage, 'item'>,
): readonly (readonly [name: string, call: () => Promise<unknown>])[] {
  const calls: [string, (() => Promise<unknown>) | undefined][] = [
    ['get', () => backend.get('k')],
    ['set', () => backend.set(stage.item('k', 1))],
    ['delete', () => backend.delete('k')],
    ['clear', () => backend.clear()],
    ['clear with a prefix', () => backend.clear('k')],
    ['getMany', backend.getMany && (() => call(backend.getMany?.(['k', 'l'])))],
    ['setMany', backend.setMany && (() => call(backend.setMany?.([stage.item('k', 1), stage.item('l', 2)])))],
    ['deleteMany', backend.deleteMany && (() => call(backend.deleteMany?.(['k', 'l'])))],
    [
      'compareAndSet',
      backend.compareAndSet && (() => call(backend.compareAndSet?.('k', undefined, stage.item('k', 1)))),
    ],
    ['increment', backend.increment && (() => call(backend.increment?.('n', 1)))],
    ['keys', backend.keys && (() => collect(backend.keys?.() ?? empty()))],
  ]
  return calls.flatMap(([name, made]) => (made ? [[name, made] as const] : []))
}

async function* empty(): AsyncIterable<string> {}

/** A synchronous throw stays a throw: the rules distinguish it from a rejection. */
function call<Value>(promise: Promise<Value> | undefined): Promise<Value | undefined> {
  return promise ?? Promise.resolve(undefined)
}
