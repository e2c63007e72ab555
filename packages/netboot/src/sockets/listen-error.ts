// What a refused bind means to the user.
import { LabwrightError } from '@labwright/core/errors/error';
import { findHolder, findSockets } from './port-holder.ts';

export interface ListenPlace {
  readonly protocol: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
  /** "the DHCP server". */
  readonly purpose: string;
}

export async function listenError(place: ListenPlace, cause: unknown): Promise<unknown> {
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return inUseError(place, cause);
    case 'EACCES':
    case 'EPERM':
      return new LabwrightError('LW0007', {
        what: `${place.purpose} may not listen on ${portText(place)}`,
        where: whereOf(place),
        why: 'ports below 1024 need the capability CAP_NET_BIND_SERVICE',
        fix: [
          'run Labwright as root, or from the systemd unit that grants the capability',
          'or: sysctl net.ipv4.ip_unprivileged_port_start=0',
        ],
        cause,
      });
    case 'EADDRNOTAVAIL':
      return new LabwrightError('LW3005', {
        what: `${place.purpose} cannot answer from ${place.address}: this computer does not have that address`,
        where: whereOf(place),
        fix: [`give this computer the address ${place.address}, or set netboot.address to one it has (ip -br address)`],
        cause,
      });
    default:
      return cause;
  }
}

/** Throws when somebody has the port at the same address or at all: sockets that share it would hide each other's packets. */
export async function assertPortFree(place: ListenPlace): Promise<void> {
  const sockets = await findSockets(place.protocol, place.port);
  const taken = sockets.find((row) => row.address === '0.0.0.0' || row.address === place.address);
  if (taken !== undefined || (place.address === '0.0.0.0' && sockets.length > 0)) throw await inUseError(place);
}

async function inUseError(place: ListenPlace, cause?: unknown): Promise<LabwrightError> {
  const [socket] = await findSockets(place.protocol, place.port);
  const holder = socket === undefined ? undefined : await findHolder(socket.inode);
  return new LabwrightError('LW0008', {
    what: `${place.purpose} cannot listen on ${portText(place)}: it is in use`,
    where: whereOf(place),
    ...(holder === undefined ? {} : { why: `${holder.command} (process ${holder.pid}) has it` }),
    fix:
      holder === undefined
        ? [`find the program with: ss -${place.protocol === 'udp' ? 'u' : 't'}lnp sport = :${place.port}`]
        : [`stop ${holder.command}, or let it listen on another address only`],
    cause,
  });
}

function portText(place: ListenPlace): string {
  return `${place.protocol.toUpperCase()} port ${place.port}`;
}

function whereOf(place: ListenPlace): Record<string, string> {
  return { address: `${place.address}:${place.port}` };
}
