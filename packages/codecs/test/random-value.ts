import type { Random } from './random.ts'
import { samples, unkept } from './samples.ts'

const rare: readonly unknown[] = [...Object.values(samples).flat(), ...unkept.map(([, value]) => value)]
const names = ['id', 'name', 'a b', '', 'ключ', 'constructor', 'toString', '0', '17', 'value', 'nested']

/** Any value: mostly plain data, now and then something that some codec cannot keep. */
export function randomValue(random: Random, depth = 0): unknown {
  if (random.below(60) === 0) return random.pick(rare)
  switch (random.below(depth > 4 ? 4 : 9)) {
    case 0:
      return random.below(1000) - 500
    case 1:
      return (random.below(2 ** 31) - 2 ** 30) / random.pick([1, 3, 1e-9, 1e300])
    case 2:
      return text(random)
    case 3:
      return random.pick([null, true, false, Number.NaN])
    case 4:
      return new Map(
        Array.from({ length: random.below(3) }, () => [randomValue(random, 5), randomValue(random, depth + 2)]),
      )
    case 5:
      return Array.from({ length: random.below(4) }, () => randomValue(random, depth + 1))
    case 6:
      return rows(random, depth)
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(5) }, () => [random.pick(names), randomValue(random, depth + 1)]),
      )
  }
}

/** Long enough for the form with record definitions. */
function rows(random: Random, depth: number): unknown[] {
  const shape = Array.from({ length: random.below(4) }, () => random.pick(names))
  const row = (): unknown => Object.fromEntries(shape.map((name) => [name, randomValue(random, depth + 3)]))
  return Array.from({ length: random.below(12) }, row)
}

function text(random: Random): string {
  const letter = random.pick(['a', 'é', '漢', '👩', '\u0000'])
  return letter.repeat(random.pick([0, 1, 5, 31, 32, 63, 64, 65, 200, 300]))
}
