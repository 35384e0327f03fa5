const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const fixDate = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/
const rfc850Date = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/
const asctimeDate = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/**
 * The instant of a date in one of the three formats of HTTP (RFC 9110 section 5.6.7), or `undefined`. `Date.parse` accepts more, and an
 * `Expires: 0` must mean "expired".
 */
export function parseHttpDate(text: string | null | undefined, now: number): number | undefined {
  if (text === null || text === undefined) return undefined
  const lower = text.trim().toLowerCase()
  const fix = fixDate.exec(lower)
  if (fix !== null) return instant(fix[3], fix[2], fix[1], fix[4], fix[5], fix[6])
  const rfc850 = rfc850Date.exec(lower)
  if (rfc850 !== null) {
    const year = fullYear(Number(rfc850[3]), now)
    return instant(String(year), rfc850[2], rfc850[1], rfc850[4], rfc850[5], rfc850[6])
  }
  const asctime = asctimeDate.exec(lower)
  if (asctime === null) return undefined
  return instant(asctime[6], asctime[1], asctime[2]?.trim(), asctime[3], asctime[4], asctime[5])
}

/** A year of two digits that looks more than 50 years ahead is one of the past (RFC 9110 section 5.6.7). */
function fullYear(digits: number, now: number): number {
  const current = new Date(now).getUTCFullYear()
  const year = current - (current % 100) + digits
  return year > current + 50 ? year - 100 : year
}

function instant(...[year, month, day, hour, minute, second]: (string | undefined)[]): number | undefined {
  const index = months.indexOf(month ?? '')
  const ms = Date.UTC(Number(year), index, Number(day), Number(hour), Number(minute), Number(second))
  // Day 31 of a month with 30 days would become a day of the next month.
  const isValid = index >= 0 && new Date(ms).getUTCDate() === Number(day) && Number(hour) < 24 && Number(minute) < 60
  return isValid ? ms : undefined
}
