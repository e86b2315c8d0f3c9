import { processEnvironment } from '../config/environment.ts'
import type { Config } from '../config/schema.ts'
import { Configuration } from '../errors.ts'
import type { Secret, Secrets } from '../secret.ts'
import { Admission } from '../sink/kafka/login/admission.ts'
import { sdkKey } from '../sink/kafka/login/aws-key.ts'
import { clientCredentials } from '../sink/kafka/login/client-credentials.ts'
import type { Login } from '../sink/kafka/login/login.ts'
import { type AwsKeySource, mskIamTokens } from '../sink/kafka/login/msk-iam.ts'
import { oauthBearerLogin, type TokenSource } from '../sink/kafka/login/oauth-bearer.ts'
import { ociRsaLogin } from '../sink/kafka/login/oci-rsa.ts'
import { fixedSecret, type SecretSource, secretFile } from '../sink/kafka/login/password.ts'
import { plainLogin } from '../sink/kafka/login/plain.ts'
import { scramLogin } from '../sink/kafka/login/scram.ts'
import { ReloadedTls } from '../sink/kafka/login/tls.ts'
import type { KafkaSettings } from '../sink/kafka/settings.ts'
import { openPrincipal, type Principal } from '../sink/oci-rest/principal.ts'
import type { Common } from './common.ts'

type SaslConfig = NonNullable<Config['sink']['sasl']>

const made = new WeakMap<Config, KafkaSettings>()

/**
 * How to reach the Kafka of the configuration: the same for producing, reading, the worker group and the checkpoints, so
 * that what is known of logins and certificates is known to all. Throws Configuration CONFIG_INVALID for TLS files.
 */
export function kafkaSettings(common: Pick<Common, 'config' | 'clock' | 'log' | 'secrets'>): KafkaSettings {
  const { config, clock, log } = common
  const known = made.get(config)
  if (known !== undefined) return known
  const { brokers, clientId, tls, sasl } = config.sink
  const settings = {
    brokers,
    clientId,
    tls: tls && new ReloadedTls(tls, log),
    login: sasl && loginOf(sasl, common),
    admission: new Admission(clock),
  }
  made.set(config, settings)
  return settings
}

function loginOf(sasl: SaslConfig, { clock, secrets }: Pick<Common, 'clock' | 'secrets'>): Login {
  switch (sasl.mechanism) {
    case 'plain':
      return plainLogin(userOf(sasl), passwordOf(sasl, secrets))
    case 'scram-sha-256':
      return scramLogin({ hash: 'sha256', username: userOf(sasl), password: passwordOf(sasl, secrets) })
    case 'scram-sha-512':
      return scramLogin({ hash: 'sha512', username: userOf(sasl), password: passwordOf(sasl, secrets) })
    case 'oauthbearer': {
      const { clientId, tokenFile, extensions = {} } = needed(sasl.oauth, 'oauth')
      const who = clientId === undefined ? `the token of ${tokenFile}` : `client ${clientId}`
      const values = Object.entries(extensions).map(([name, value]) => [name, String(value)])
      return oauthBearerLogin({ who, token: tokensOf(sasl, clock, secrets), extensions: Object.fromEntries(values) })
    }
    case 'aws-msk-iam': {
      const { region, accessKeyId } = needed(sasl.aws, 'aws')
      const who = `access key ${accessKeyId ?? 'of the AWS SDK'}`
      const key = taughtKey(awsKeyOf(sasl, clock), secrets)
      return oauthBearerLogin({ who, token: taught(mskIamTokens({ region, key, clock }), secrets) })
    }
    case 'oci-rsa-sha256':
      return ociLogin(sasl, clock, secrets)
  }
}

/** A user name of OCI Streaming has the tenancy, the domain if there is one, the user and the stream pool in it. */
function userOf({ username, tenancy, domain, user, streamPoolId }: SaslConfig): string {
  if (username !== undefined) return username
  return [tenancy, domain, user, streamPoolId].filter(part => part !== undefined).join('/')
}

/** `read`, of which all redactors know what it has read before anybody else gets it (G9). */
function taught<A extends readonly unknown[]>(read: (...asked: A) => Promise<string>, secrets: Secrets): typeof read {
  return async (...asked) => {
    const secret = await read(...asked)
    secrets.learn(secret)
    return secret
  }
}

function taughtKey(source: AwsKeySource, secrets: Secrets): AwsKeySource {
  return async () => {
    const key = await source()
    secrets.learn(key.secretAccessKey)
    if (key.sessionToken !== undefined) secrets.learn(key.sessionToken)
    return key
  }
}

function passwordOf({ password, passwordFile }: SaslConfig, secrets: Secrets): SecretSource {
  return secretOf(password, passwordFile, 'sink.sasl.passwordFile', secrets)
}

/** What stands in the configuration is known already. */
function secretOf(
  secret: Secret | undefined,
  file: string | undefined,
  setting: string,
  secrets: Secrets,
): SecretSource {
  if (secret !== undefined) return fixedSecret(secret)
  const read = secretFile(needed(file, setting), setting)
  return async () => {
    const found = await read()
    secrets.keep(found) // Connections that last for weeks ask for it once, and tokens of others are learned meanwhile.
    return found
  }
}

function tokensOf({ oauth }: SaslConfig, clock: Common['clock'], secrets: Secrets): TokenSource {
  const { tokenFile, tokenEndpoint, clientId, clientSecret, clientSecretFile, ...asked } = needed(oauth, 'oauth')
  if (tokenFile !== undefined) return taught(secretFile(tokenFile, 'sink.sasl.oauth.tokenFile'), secrets)
  const tokens = clientCredentials({
    ...asked,
    tokenEndpoint: needed(tokenEndpoint, 'oauth.tokenEndpoint'),
    clientId: needed(clientId, 'oauth.clientId'),
    clientSecret: secretOf(clientSecret, clientSecretFile, 'sink.sasl.oauth.clientSecretFile', secrets),
    clock,
  })
  return taught(tokens, secrets)
}

function awsKeyOf({ aws }: SaslConfig, clock: Common['clock']): AwsKeySource {
  const { accessKeyId, secretAccessKey, sessionToken } = needed(aws, 'aws')
  if (accessKeyId === undefined) return sdkKey(clock)
  const secret = needed(secretAccessKey, 'aws.secretAccessKey')
  return async () => ({ accessKeyId, secretAccessKey: secret.reveal(), sessionToken: sessionToken?.reveal() })
}

function ociLogin(sasl: SaslConfig, clock: Common['clock'], secrets: Secrets): Login {
  const type = needed(sasl.principal, 'principal')
  let opening: Promise<Principal> | undefined
  const key = async () => {
    const learn = (secret: string) => secrets.learn(secret)
    opening ??= openPrincipal({ type, learn, environment: processEnvironment(), clock })
    try {
      return await (await opening).credentials()
    } catch (error) {
      opening = undefined // Tried anew at the next login.
      throw error
    }
  }
  const who = `OCI ${type}`
  return ociRsaLogin({ who, key, streamPoolId: needed(sasl.streamPoolId, 'streamPoolId'), clock })
}

/** The rules of the configuration have seen to it that it is there. */
function needed<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Configuration('CONFIG_INVALID', `sink.sasl: ${name} is missing`)
  return value
}
