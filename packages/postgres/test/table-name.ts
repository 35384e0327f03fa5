let count = 0

/** A name of a table that no other test uses. */
export function tableName(): string {
  count += 1
  return `test_${process.pid}_${count}`
}
