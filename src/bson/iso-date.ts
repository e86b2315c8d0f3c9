import { writeInteger, writePair } from './digits.ts'
import { ByteWriter } from './writer.ts'

const DAY_MS = 86_400_000
/** 9999-12-31T23:59:59.999Z, in milliseconds since the Unix epoch. */
const LAST_OF_9999_MS = 253_402_300_799_999
const COLON = 0x3a
const DASH = 0x2d
const PLUS = 0x2b

/** Whether the BSON date at `at` is one that relaxed Extended JSON writes as text: years 1970 to 9999. */
export function isRelaxedDate(source: DataView, at: number): boolean {
  const high = source.getInt32(at + 4, true)
  return high >= 0 && high * 0x1_0000_0000 + source.getUint32(at, true) <= LAST_OF_9999_MS
}

/**
 * Writes the BSON date at `at` (int64 milliseconds since the Unix epoch) as ISO 8601 in UTC. Years outside 0 to 9999
 * get a sign and at least six digits. `millis: 'always'` writes three decimals, `'non-zero'` leaves out `.000`.
 */
export function writeIsoDate(out: ByteWriter, source: DataView, at: number, millis: 'always' | 'non-zero'): void {
  const high = source.getInt32(at + 4, true)
  let days: number
  let ms: number
  if (high >= -0x200000 && high < 0x200000) {
    const value = high * 0x1_0000_0000 + source.getUint32(at, true)
    days = Math.floor(value / DAY_MS)
    ms = value - days * DAY_MS
  } else {
    const value = source.getBigInt64(at, true)
    ms = Number(((value % BigInt(DAY_MS)) + BigInt(DAY_MS)) % BigInt(DAY_MS))
    days = Number((value - BigInt(ms)) / BigInt(DAY_MS))
  }
  out.ensure(40)
  writeDayOrCopy(out, days)
  writeTime(out, ms, millis)
  out.byte(0x5a) // Z
}

/** The day written last, `2026-11-21T`: the dates of a batch are mostly of one day. */
const lastDay = new ByteWriter(32)
let lastDays = Number.NaN

function writeDayOrCopy(out: ByteWriter, days: number): void {
  if (days !== lastDays) {
    lastDay.reset()
    writeDay(lastDay, days)
    lastDay.byte(0x54) // T
    lastDays = days
  }
  const { view, length } = lastDay
  for (let i = 0; i < length; i += 4) out.view.setInt32(out.length + i, view.getInt32(i, true), true)
  out.length += length
}

/** Days since the Unix epoch to year, month and day in the proleptic Gregorian calendar (Hinnant's civil_from_days). */
function writeDay(out: ByteWriter, days: number): void {
  const sinceMarch0 = days + 719_468
  const era = Math.floor(sinceMarch0 / 146_097)
  const dayOfEra = sinceMarch0 - era * 146_097
  const yearOfEra =
    ((dayOfEra - ((dayOfEra / 1460) | 0) + ((dayOfEra / 36_524) | 0) - ((dayOfEra / 146_096) | 0)) / 365) | 0
  const dayOfYear = dayOfEra - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0))
  const monthFromMarch = ((5 * dayOfYear + 2) / 153) | 0
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  writeYear(out, yearOfEra + era * 400 + (month <= 2 ? 1 : 0))
  out.byte(DASH)
  writePair(out, month)
  out.byte(DASH)
  writePair(out, dayOfYear - (((153 * monthFromMarch + 2) / 5) | 0) + 1)
}

function writeYear(out: ByteWriter, year: number): void {
  if (year >= 0 && year <= 9999) {
    const century = (year / 100) | 0
    writePair(out, century)
    writePair(out, year - century * 100)
    return
  }
  const size = Math.abs(year)
  out.byte(year < 0 ? DASH : PLUS)
  for (let bound = 100_000; bound > size; bound /= 10) out.byte(0x30)
  writeInteger(out, size)
}

function writeTime(out: ByteWriter, msOfDay: number, millis: 'always' | 'non-zero'): void {
  const seconds = (msOfDay / 1000) | 0
  const minutes = (seconds / 60) | 0
  const hours = (minutes / 60) | 0
  writePair(out, hours)
  out.byte(COLON)
  writePair(out, minutes - hours * 60)
  out.byte(COLON)
  writePair(out, seconds - minutes * 60)
  const ms = msOfDay - seconds * 1000
  if (ms === 0 && millis === 'non-zero') return
  const hundreds = (ms / 100) | 0
  out.byte(0x2e)
  out.byte(0x30 + hundreds)
  writePair(out, ms - hundreds * 100)
}
