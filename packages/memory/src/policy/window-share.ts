const firstShare = 0.2
const minShare = 0.02
const maxShare = 0.85
/** One adjustment changes the share at most by this factor. */
const maxStep = 4
/** The exponents with which the ratio of densities and the ratio of returns change the share. */
const densityPower = 0.35
const returnPower = 0.5
/** The weight of a regret (a rejected key that soon returns) against a hit in the window. Regrets are kept for longer than hits. */
const regretWeight = 0.2
/** Both parts are assumed to have this many further departures, with the mean rate of returns: few departures prove little. */
const priorDepartures = 8

/**
 * The share of the window in the cache. It follows the ratio of hits per entry in the window and in the main part, after
 * the density climbing of Caffeine, and the ratio of the keys that return soon among those evicted from each part, after
 * ARC (Nimrod Megiddo and Dharmendra Modha, FAST 2003). The first ratio shows the value of the parts, the second the value
 * of a small growth of each.
 */
export class WindowShare {
  /** From 0 to 1. */
  share: number = firstShare
  // The evictions from the window and from the main part, and the keys among them that soon returned.
  // All four are halved at each adjustment.
  #rejections = 0
  #regrets = 0
  #releases = 0
  #returns = 0

  /** Counts an eviction, from the window if `rejected`. */
  countEviction(rejected: boolean): void {
    if (rejected) this.#rejections += 1
    else this.#releases += 1
  }

  /** Counts a key that returned soon after its eviction, from the window if `rejected`. */
  countReturn(rejected: boolean): void {
    if (rejected) this.#regrets += 1
    else this.#returns += 1
  }

  /** Adjusts the share to the hits since the last call. `window` and `main` are the sizes of the parts. */
  adjust(windowHits: number, mainHits: number, window: number, main: number): void {
    const windowDensity = (windowHits + regretWeight * this.#regrets + 0.5) / Math.max(1, window)
    const mainDensity = (mainHits + 0.5) / Math.max(1, main)
    const ratio = (windowDensity / mainDensity) ** densityPower * this.#returnRatio() ** returnPower
    const step = Math.min(maxStep, Math.max(1 / maxStep, ratio))
    this.share = Math.min(maxShare, Math.max(minShare, this.share * step))
    this.#rejections /= 2
    this.#regrets /= 2
    this.#releases /= 2
    this.#returns /= 2
  }

  /** The rate of early returns of keys evicted from the window, divided by that of the main part. */
  #returnRatio(): number {
    const all = (this.#regrets + this.#returns + 0.5) / (this.#rejections + this.#releases + 1)
    const fromWindow = (this.#regrets + priorDepartures * all) / (this.#rejections + priorDepartures)
    const fromMain = (this.#returns + priorDepartures * all) / (this.#releases + priorDepartures)
    return fromWindow / fromMain
  }
}
