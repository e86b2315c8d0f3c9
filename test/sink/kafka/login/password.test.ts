import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Workspace } from '../../../../src/services/workspace.ts'
import { secretFile } from '../../../../src/sink/kafka/login/password.ts'
import { plainLogin } from '../../../../src/sink/kafka/login/plain.ts'
import { lead } from './dialogue.ts'

it('is read anew at each login', async () => {
  await using workspace = await Workspace.open('password')
  const path = join(workspace.dir, 'password')
  const login = plainLogin('cdc', secretFile(path, 'sink.sasl.passwordFile'))
  const say = async () => (await lead(login, () => Buffer.alloc(0))).map(String)
  await expect(say()).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED', message: expect.stringContaining(path) })
  await writeFile(path, 'first\r\n')
  expect(await say()).toEqual(['\0cdc\0first'])
  await writeFile(path, ' second ')
  expect(await say()).toEqual(['\0cdc\0 second '])
  await writeFile(path, '\n')
  await expect(say()).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED' })
  await writeFile(path, 'with a \0')
  await expect(say()).rejects.toMatchObject({
    code: 'SINK_AUTH_FAILED',
    message: expect.not.stringContaining('with a'),
  })
})
