/** The rights that the README lists. */
export const rights: string =
  '~cache:* +@connection +get +mget +set +unlink +evalsha +eval +getrange +pttl +incrby +scan +dbsize +info'
