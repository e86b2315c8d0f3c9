import { Configuration } from '../errors.ts'

export interface StaticSettings {
  readonly slots: number
  /** undefined: the number that the host's name ends with, as a StatefulSet's pods are named. */
  readonly ordinal: number | undefined
  readonly replicas: number
  readonly hostname: string
}

/** Which of the workers this one is. Throws Configuration WORKERS_ORDINAL. */
export function ownOrdinal(settings: StaticSettings): number {
  const { replicas } = settings
  const ordinal = settings.ordinal ?? ordinalOf(settings.hostname)
  if (!Number.isSafeInteger(ordinal) || ordinal < 0 || ordinal >= replicas) {
    const message = `worker number ${ordinal} is not one of ${replicas} workers, which are numbered from 0 to ${replicas - 1}`
    throw new Configuration('WORKERS_ORDINAL', message)
  }
  return ordinal
}

/** What each worker owns, by its ordinal: worker `n` of `replicas` has every slot whose remainder is `n`. */
export function slotsByOrdinal({ slots, replicas }: Pick<StaticSettings, 'slots' | 'replicas'>): number[][] {
  const all = Array.from({ length: replicas }, (): number[] => [])
  for (let slot = 0; slot < slots; slot++) all[slot % replicas]!.push(slot)
  return all
}

function ordinalOf(hostname: string): number {
  const [, digits] = /-(\d{1,9})$/.exec(hostname.split('.')[0] ?? '') ?? []
  if (digits === undefined) {
    const message = `the host's name "${hostname}" does not end with a number such as -0, and workers.ordinal is not set`
    throw new Configuration('WORKERS_ORDINAL', message)
  }
  return Number(digits)
}
