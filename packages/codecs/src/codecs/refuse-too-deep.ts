/**
 * The result of an encoder that has no limit of levels of its own. A value with thousands of levels ends the stack of such an encoder: the
 * error says so.
 */
export function refuseTooDeep<Encoded>(encoding: string, encode: () => Encoded): Encoded {
  try {
    return encode()
  } catch (error) {
    if (!(error instanceof RangeError) || !/call stack/.test(error.message)) throw error
    throw new TypeError(
      `${encoding} cannot keep a value that is nested so deeply; store a flat form, such as a list of its nodes`,
      { cause: error },
    )
  }
}
