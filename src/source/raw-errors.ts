import { BSON, type CommandFailedEvent, type MongoClient, MongoServerError } from 'mongodb'

/**
 * Decodes the topology version in server errors to commands with raw replies, before the driver looks at it. The driver
 * (7.9) leaves it raw like the rest, and then cannot compare it with what it knows of the server: each "not primary"
 * counted as news, the server as unknown, and since its monitor waits for the next change, nothing was sent to it for up
 * to heartbeatFrequencyMS, ten seconds; the next hello was malformed besides (SDAM specification, "topologyVersion").
 *
 * The event of a failed command is the one public place between the error's construction and that look. The client needs
 * `monitorCommands`.
 */
export function decodeTopologyVersions(client: MongoClient): void {
  client.on('commandFailed', decodeTopologyVersion)
}

function decodeTopologyVersion({ failure }: Pick<CommandFailedEvent, 'failure'>): void {
  const raw: unknown = failure instanceof MongoServerError ? failure.topologyVersion : undefined
  if (raw instanceof Uint8Array) Object.assign(failure, { topologyVersion: BSON.deserialize(raw) })
}
