/**
 * The way to a part of a value, from the outside to the inside: the name of a member, the index of an element, or a text in
 * parentheses, such as `(key 2)` for the third key of a `Map`.
 */
export type PathStep = string | number

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u
const most = 12

/** The path as text: `value.friends[3]["full name"](key 0)`. A long path has `…` in its middle. */
export function memberPath(steps: readonly PathStep[]): string {
  const texts = steps.map((step) => {
    if (typeof step === 'number') return `[${step}]`
    if (step.startsWith('(')) return step
    return identifier.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
  })
  if (texts.length <= most) return `value${texts.join('')}`
  return `value${texts.slice(0, most / 2).join('')}…${texts.slice(-most / 2).join('')}`
}
