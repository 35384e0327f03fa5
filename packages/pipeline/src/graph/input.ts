declare const type: unique symbol

/** The declaration of an input of a pipeline: only its type. */
export interface InputDeclaration<Value> {
  /** Only the compiler sees this member. */
  readonly [type]?: Value
}

export type InputDeclarations = Readonly<Record<string, InputDeclaration<unknown>>>

/** The values of inputs, by name. */
export type InputValues<Inputs extends InputDeclarations> = {
  readonly [Name in keyof Inputs]: Inputs[Name] extends InputDeclaration<infer Value> ? Value : never
}

/** Declares an input of a pipeline, which every run gives: `pipeline({ name, cache, inputs: { dir: input<string>() } })`. */
export function input<Value>(): InputDeclaration<Value> {
  return {}
}
