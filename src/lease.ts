/** The right to work on slots, as whoever gave it can still vouch for it. */
export interface Lease {
  /**
   * Resolves when something that happened after the call has confirmed it, such as a heartbeat; at once where nobody
   * else can have it. Rejects with Fenced where it is lost, with the reason of `signal` when that aborts.
   */
  confirm(signal: AbortSignal): Promise<void>
  /**
   * Aborts, with Fenced as its reason, as soon as it is known to be lost: others may have the slots, so what is in
   * flight is not waited for. Absent where it cannot be lost.
   */
  readonly lost?: AbortSignal
}
