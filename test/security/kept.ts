/** By how many pairs one side must lead: chance alone, with pairs that fall to either side as coins do, decides nothing soon. */
const decisiveLead = 6

/**
 * Whether the share that is kept, measured in pairs of windows, is in the median at least `least`. Neighbours on the same
 * machine come and go between the two windows of a pair, so that one pair says little; every pair counts as one vote,
 * whatever its size, and votes are taken until one side leads clearly: a sequential sign test, which favours neither side.
 */
export class KeptShare {
  readonly #least: number
  readonly ratios: number[] = []

  constructor(least: number) {
    this.#least = least
  }

  /** `under`: the rate in the disturbed window, `quiet`: in the other one next to it. Where both are 0 it is no vote. */
  add(under: number, quiet: number): void {
    if (under > 0 || quiet > 0) this.ratios.push(under / quiet)
  }

  /** Votes for it less votes against it. */
  get #lead(): number {
    return this.ratios.reduce((lead, ratio) => lead + (ratio >= this.#least ? 1 : -1), 0)
  }

  get isDecided(): boolean {
    return Math.abs(this.#lead) >= decisiveLead
  }

  /** Before it is decided by the votes that there are. */
  get isKept(): boolean {
    return this.#lead >= 0
  }

  get median(): number {
    const inOrder = this.ratios.toSorted((a, b) => a - b)
    const last = inOrder.length - 1
    return (inOrder[Math.floor(last / 2)]! + inOrder[Math.ceil(last / 2)]!) / 2
  }
}
