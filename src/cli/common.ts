import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import type { Redact } from '../redact.ts'
import type { Secrets } from '../secret.ts'
import type { Io } from './io.ts'

/** What every part of the daemon is given. */
export interface Common {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
  readonly io: Io
  /** Those of `config`; whatever reads another one teaches it to them (G9). */
  readonly secrets: Secrets
  /** Knows `secrets`, for what is written past the log (G9). */
  readonly redact: Redact
}
