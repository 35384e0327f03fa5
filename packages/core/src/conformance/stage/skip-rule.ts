/** Thrown to say that a rule does not apply here; the runner shows it as skipped, with the reason. */
export class SkipRule {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}
