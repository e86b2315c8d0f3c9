import { describe, expect, inject, it } from 'vitest'
import type { BeforeChangeMode, FullDocumentMode } from '../../src/source/source.ts'
import { freshDatabase, type Lab, openLab, patience, selection, summary, take } from './lab.ts'

async function changes(lab: Lab, images: boolean, after: FullDocumentMode, before: BeforeChangeMode) {
  const db = lab.client.db(freshDatabase('images'))
  await db.createCollection('c', { changeStreamPreAndPostImages: { enabled: images } })
  const source = lab.mongo.source(
    selection('p', [`${db.databaseName}.c`], { fullDocument: after, fullDocumentBeforeChange: before }),
  )
  const from = await source.now(patience())
  const c = db.collection<{ _id: number; n: number }>('c')
  await c.insertOne({ _id: 1, n: 1 })
  await c.updateOne({ _id: 1 }, { $set: { n: 2 } })
  await c.updateOne({ _id: 1 }, { $set: { n: 3 } })
  await c.replaceOne({ _id: 1 }, { n: 4 })
  await c.insertOne({ _id: 2, n: 1 })
  await c.updateOne({ _id: 2 }, { $set: { n: 2 } })
  await c.deleteOne({ _id: 2 })
  const { events } = await take(source, from, 7)
  await db.dropDatabase()
  return events.map(summary)
}

const doc = (id: number, n: number) => `{"_id":${id},"n":${n}}`

describe('images', () => {
  it.each(['whenAvailable', 'required', 'auto'] as const)('%s gives the images of the very change', async mode => {
    await using lab = await openLab(inject('mongodbUri'))
    expect(await changes(lab, true, mode, mode)).toEqual([
      `insert 1 exact ${doc(1, 1)} -`,
      `update 1 exact ${doc(1, 2)} ${doc(1, 1)}`,
      `update 1 exact ${doc(1, 3)} ${doc(1, 2)}`,
      `replace 1 exact ${doc(1, 4)} ${doc(1, 3)}`,
      `insert 2 exact ${doc(2, 1)} -`,
      `update 2 exact ${doc(2, 2)} ${doc(2, 1)}`,
      `delete 2 exact - ${doc(2, 2)}`,
    ])
    expect(lab.meter.counts.size).toBe(0)
  })

  it.each([
    ['auto', false],
    ['updateLookup', false],
    ['updateLookup', true],
  ] as const)('%s with images %s looks the documents up', async (mode, images) => {
    await using lab = await openLab(inject('mongodbUri'))
    expect(await changes(lab, images, mode, 'default')).toEqual([
      `insert 1 exact ${doc(1, 1)} -`,
      `update 1 later ${doc(1, 4)} -`,
      `update 1 later ${doc(1, 4)} -`,
      `replace 1 exact ${doc(1, 4)} -`,
      `insert 2 exact ${doc(2, 1)} -`,
      'update 2 missing - -',
      'delete 2 none - -',
    ])
    expect(lab.meter.counts.get('lookups_total found')).toBe(2)
    expect(lab.meter.counts.get('lookups_total missing')).toBe(1)
  })

  it.each([
    ['default', true],
    ['default', false],
    ['whenAvailable', false],
  ] as const)('%s with images %s leaves updates without document', async (mode, images) => {
    await using lab = await openLab(inject('mongodbUri'))
    expect(await changes(lab, images, mode, mode)).toEqual([
      `insert 1 exact ${doc(1, 1)} -`,
      'update 1 none - -',
      'update 1 none - -',
      `replace 1 exact ${doc(1, 4)} -`,
      `insert 2 exact ${doc(2, 1)} -`,
      'update 2 none - -',
      'delete 2 none - -',
    ])
  })

  it.each([
    ['required', 'default'],
    ['default', 'required'],
  ] as const)('required (%s, %s) without image is a named fault', async (after, before) => {
    await using lab = await openLab(inject('mongodbUri'))
    await expect(changes(lab, false, after, before)).rejects.toMatchObject({ code: 'SOURCE_IMAGE_MISSING' })
  })
})
