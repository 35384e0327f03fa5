/** A rule throws it where it does not apply. The runner shows the rule as skipped, with the reason. */
export class SkipRule {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}
