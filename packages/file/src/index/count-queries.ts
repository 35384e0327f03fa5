/** Counts values that have expired but still exist. It visits each item that is due. */
export const expiredValuesQuery: string =
  'select count(*) as count from item where due_at <= ? and expires_at <= ? and kind > 0'

/** Counts what the triggers count. It visits every row. */
export const countQuery: string = `select count(*) as entries, coalesce(sum(kind > 0), 0) as live,
  coalesce(sum(bytes), 0) as bytes, (select count(*) from trash) as trash from item`

/** Replaces the totals by newly counted ones. */
export const recountQuery: string = `update total set (entries, live, bytes, trash) = (${countQuery})`
