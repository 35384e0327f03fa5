import type { CodecType } from '../types/codec-type.ts'
import { textOf } from './text-of.ts'

/** What the type needs of the class `Decimal`. */
export interface DecimalClass<Decimal> {
  new (text: string): Decimal
  isDecimal(value: unknown): boolean
}

/** `Decimal` of decimal.js or `Prisma.Decimal`, stored as its digits: `decimalType(Prisma.Decimal)`. */
export function decimalType<Decimal extends { valueOf(): string }>(Class: DecimalClass<Decimal>): CodecType<Decimal> {
  return {
    name: 'Decimal',
    is: (value) => Class.isDecimal(value),
    // `valueOf` keeps the sign of -0, and `toString` does not.
    encode: (decimal) => decimal.valueOf(),
    decode: (data) => new Class(textOf(data, 'Decimal')),
  }
}
