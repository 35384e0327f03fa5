/**
 * Whether the text has no lone surrogate, so that UTF-8 can hold it. The cast is for the ES2023 library of TypeScript, which
 * lacks the method; every supported Node has it.
 */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
