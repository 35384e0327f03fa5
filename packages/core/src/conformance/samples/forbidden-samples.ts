import type { Sample } from './samples.ts'

function act(): number {
  return 1
}

const mark: symbol = Symbol('mark')
const promise: Promise<number> = Promise.resolve(1)
const weak: WeakMap<object, number> = new WeakMap()

/** Values that no encoding keeps, at different depths. A store of references returns the very same function. */
export const forbiddenSamples: readonly Sample[] = [
  { says: 'a function', make: () => act },
  { says: 'a class', make: () => Celsius },
  { says: 'a symbol', make: () => mark },
  { says: 'a promise', make: () => promise },
  { says: 'a function in an object', make: () => ({ a: 1, act }) },
  { says: 'a function in an object in a list', make: () => ({ list: [{ deep: { act } }] }) },
  { says: 'a function in a list', make: () => [1, act] },
  { says: 'a function in a list of lists', make: () => [[1, [act]]] },
  { says: 'a function in a map', make: () => new Map<string, unknown>([['act', act]]) },
  { says: 'a function as the key of a map', make: () => new Map<unknown, unknown>([[act, 1]]) },
  { says: 'a function in a set', make: () => new Set([act]) },
  { says: 'a method toJSON', make: () => ({ a: 1, toJSON: act }) },
  { says: 'a symbol in an object', make: () => ({ a: 1, mark }) },
  { says: 'a symbol in a list', make: () => [mark] },
  { says: 'a promise in an object', make: () => ({ result: promise }) },
  { says: 'a promise in a list', make: () => [promise] },
  { says: 'a WeakMap in an object', make: () => ({ weak }) },
]

class Celsius {
  readonly degrees: number = 20
}
