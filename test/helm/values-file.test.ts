import { expect, test } from 'vitest'
import { commentsOf } from './values-file.ts'

test('comments belong to the key below them, with its parents', () => {
  const text = `# The file.

image:
  # -- Where it
  # comes from.
  repository: a # not this
  tag: b
  # Not for the documentation.
  digest: c
# -- (int) How many.
replicaCount: 1
autoscaling:
  keda:
    # -- Deep.
    serverAddress: ""
  # -- Back again.
  enabled: false
`
  expect(commentsOf(text)).toEqual([
    { path: 'image.repository', description: 'Where it comes from.' },
    { path: 'replicaCount', description: '(int) How many.' },
    { path: 'autoscaling.keda.serverAddress', description: 'Deep.' },
    { path: 'autoscaling.enabled', description: 'Back again.' },
  ])
})

test('a comment does not reach over an empty line', () => {
  expect(commentsOf('# -- About nothing.\n\nkey: 1\n')).toEqual([])
})
