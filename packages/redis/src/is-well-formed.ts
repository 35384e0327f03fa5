/** Whether a string has no lone surrogates, which UTF-8 cannot write. Every supported Node has the method; the ES2023 library does not list it. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
