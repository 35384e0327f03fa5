/** A rule throws it where it does not apply. The runner shows the rule as skipped, with the reason. */
export class SkipRule {
  readonly reason: string
  /** The absent member of the backend or the harness, where one is the reason. */
  readonly lacking: string | undefined

  constructor(reason: string, lacking?: string) {
    this.reason = reason
    this.lacking = lacking
  }
}
