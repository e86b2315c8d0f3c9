/**
 * Loaded before a daemon under test (`node --import`): its connections to the ports that FAULT_LINKS names, as a
 * JSON object from port to port, go to links instead. So the servers advertise their true addresses, and each daemon
 * has links of its own: one can be cut off while another is not.
 */
import { Socket } from 'node:net'

const ports: Readonly<Record<string, number>> = JSON.parse(process.env.FAULT_LINKS ?? '{}')

type Connect = (this: Socket, ...args: unknown[]) => Socket

const connect = Socket.prototype.connect as Connect

function redirected(target: unknown): unknown {
  if (typeof target === 'number' || typeof target === 'string') return ports[target] ?? target
  if (Array.isArray(target)) {
    // What net.connect hands on: its normalised arguments, marked by a symbol.
    target[0] = redirected(target[0])
    return target
  }
  if (target === null || typeof target !== 'object' || !('port' in target)) return target
  return { ...target, port: ports[String(target.port)] ?? target.port }
}

Socket.prototype.connect = function (this: Socket, ...[target, ...rest]: unknown[]) {
  return Reflect.apply(connect, this, [redirected(target), ...rest])
} as Socket['connect']
