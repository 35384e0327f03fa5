/** Sets the wall clock of this process ahead by `ms` milliseconds, or back. Its monotonic clock stays as it is. */
export function skewClock(ms: number): void {
  if (ms === 0) return
  const machine = Date.now.bind(Date)
  Date.now = () => machine() + ms
}
