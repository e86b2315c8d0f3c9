import { apiVersionsV0, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { apiVersionsRequest, speaks } from '../../../../src/sink/kafka/protocol/api-versions.ts'
import { BrokerError } from '../../../../src/sink/kafka/protocol/broker-error.ts'

function answerOf(errorCode: number, ranges: [number, number, number][]): Buffer {
  return Writer.create()
    .appendInt16(errorCode)
    .appendArray(
      ranges,
      (w, [key, lowest, highest]) => w.appendInt16(key).appendInt16(lowest).appendInt16(highest),
      false,
      false,
    ).buffer
}

describe('ApiVersions', () => {
  it('asks without a body, in the version that every broker speaks', () => {
    const { apiKey, apiVersion, encode } = apiVersionsRequest()
    expect(encode()).toEqual([])
    expect({ apiKey, apiVersion }).toEqual({ apiKey: apiVersionsV0.api.key, apiVersion: apiVersionsV0.api.version })
  })

  it.each([
    [7, false],
    [8, true],
    [9, true],
    [10, false],
  ])('says whether a broker speaks version %i of an API', (apiVersion, spoken) => {
    const versions = apiVersionsRequest().parse(
      answerOf(0, [
        [1, 0, 20],
        [0, 8, 9],
      ]),
    )
    expect(speaks(versions, { apiKey: 0, apiVersion })).toBe(spoken)
    expect(speaks(versions, { apiKey: 2, apiVersion })).toBe(false)
  })

  it('or is answered with an error', () => {
    expect(() => apiVersionsRequest().parse(answerOf(35, []))).toThrow(BrokerError)
  })
})
