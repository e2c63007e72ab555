// Calls for another node are passed on to that host, whose answer is handed back as it is; when it cannot be had, the status
// is one of the proxy's own and there is no body.
import { request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, messageOf } from './error.ts';
import type { NodeContext } from './node-context.ts';

export interface PeerAnswer {
  readonly status: number;
  readonly reason: string;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

export interface PeerRequest {
  readonly node: string;
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Throws 595 when the host cannot be reached and 596 when it does not answer in thirty seconds. */
export async function askPeer(context: NodeContext, authority: string, request: PeerRequest): Promise<PeerAnswer> {
  const { headers } = request;
  if (headers['pvedisableproxy'] !== undefined) throw new ApiError(500, 'proxy loop detected');
  const peer = context.topology.hosts.find((host) => host.name === request.node);
  if (peer === undefined)
    throw new ApiError(
      500,
      `hostname lookup '${request.node}' failed - failed to get address info for: ${request.node}: Name or service not known`,
    );
  const passedOn = ['authorization', 'cookie', 'csrfpreventiontoken', 'content-type', 'accept-encoding'] as const;
  const given = passedOn.flatMap((name): [string, string][] => {
    const value = headers[name];
    return typeof value === 'string' && name !== 'accept-encoding' ? [[name, value]] : [];
  });
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const outgoing = httpsRequest(
      {
        host: peer.address,
        port: peer.port,
        servername: peer.name,
        ca: authority,
        agent: false,
        method: request.method,
        path: request.url,
        headers: {
          ...Object.fromEntries(given),
          pvedisableproxy: 'true',
          ...(request.body.length === 0 ? {} : { 'content-length': request.body.length }),
        },
        timeout: context.clock.scaledMs(30),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => reject(new ApiError(597, 'Connection reset by peer')));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 500,
            reason: response.statusMessage ?? '',
            contentType: response.headers['content-type'],
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    outgoing.on('socket', (socket) => socket.once('secureConnect', () => (isConnected = true)));
    outgoing.on('timeout', () => outgoing.destroy(new ApiError(isConnected ? 596 : 595, 'Connection timed out')));
    outgoing.on('error', (error) => {
      if (error instanceof ApiError) reject(error);
      else reject(new ApiError(isConnected ? 596 : 595, describe(error)));
    });
    outgoing.end(request.body);
  });
}

function describe(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'Connection refused';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'No route to host';
  return messageOf(error);
}
