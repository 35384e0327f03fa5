/**
 * Teaches a codec one class. The codec stores `name` and the result of `encode`. A reader without a type of this name gets a
 * miss and an `error` event.
 */
export interface CodecType<Value = unknown> {
  /** Stored with each value, so a change of the name makes stored values unreadable. */
  readonly name: string
  /** Whether the value is of this type. Asked for every object but plain objects, arrays and objects without a prototype. */
  is(value: unknown): boolean
  /** The value as data that the codec keeps. It may contain values of other types. */
  encode(value: Value): unknown
  /** The value of this data. Throws for data that `encode` did not return. */
  decode(data: unknown): Value
}
