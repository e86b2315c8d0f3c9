import { Configuration } from '../errors.ts'

export interface StaticSettings {
  readonly slots: number
  /** undefined: the number that the host's name ends with, as a StatefulSet's pods are named. */
  readonly ordinal: number | undefined
  readonly replicas: number
  readonly hostname: string
}

/** Worker `ordinal` of `replicas` owns every slot whose remainder it is. Throws Configuration WORKERS_ORDINAL. */
export function slotsByOrdinal(settings: StaticSettings): { readonly ordinal: number; readonly owned: number[] } {
  const { slots, replicas } = settings
  const ordinal = settings.ordinal ?? ordinalOf(settings.hostname)
  if (!Number.isSafeInteger(ordinal) || ordinal < 0 || ordinal >= replicas) {
    const message = `worker number ${ordinal} is not one of ${replicas} workers, which are numbered from 0 to ${replicas - 1}`
    throw new Configuration('WORKERS_ORDINAL', message)
  }
  const owned = Array.from({ length: slots }, (_, slot) => slot).filter(slot => slot % replicas === ordinal)
  return { ordinal, owned }
}

function ordinalOf(hostname: string): number {
  const [, digits] = /-(\d{1,9})$/.exec(hostname.split('.')[0] ?? '') ?? []
  if (digits === undefined) {
    const message = `the host's name "${hostname}" does not end with a number such as -0, and workers.ordinal is not set`
    throw new Configuration('WORKERS_ORDINAL', message)
  }
  return Number(digits)
}
