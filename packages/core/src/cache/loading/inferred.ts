/**
 * The place where a call infers the type of a value. A cache of unknown values takes the type from the loader; any other cache knows
 * it, and infers nothing: `'a'` as a result in a cache of strings would otherwise give the type `'a'`.
 */
export type Inferred<Type, Value> = unknown extends Value ? Type : NoInfer<Type>
