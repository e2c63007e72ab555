// For tests: an API server on loopback that answers /version and /readyz, with a certificate as a test says.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { issueLeaf, type KeyAndCertificate } from '../pki/authority.ts';
import type { ClusterPki } from '../pki/pki.ts';
import { cluster } from './sample-cluster.test-data.ts';

export interface ServedApi {
  /** The lab's cluster, with this as its endpoint. */
  readonly cluster: ClusterBlueprint;
  /** When the client certificate of each request ends, milliseconds since 1970 UTC. */
  readonly logins: readonly number[];
  close(): Promise<void>;
}

/** Of the authority, for this name and this time. */
export async function issueServing(
  { ca }: ClusterPki,
  { name, from, until }: { readonly name: string; readonly from: number; readonly until: number },
): Promise<KeyAndCertificate> {
  return await issueLeaf(ca, { commonName: name, usages: ['server'], dnsNames: [name], notAfter: until }, from);
}

export async function serveApi({ certificate, privateKey }: KeyAndCertificate): Promise<ServedApi> {
  const logins: number[] = [];
  // Whose login it is and when it ends, is for the test to judge.
  const asks = { requestCert: true, rejectUnauthorized: false };
  const server = createServer({ cert: certificate, key: privateKey.reveal(), ...asks }, (request, response) => {
    const shown = (request.socket as TLSSocket).getPeerX509Certificate();
    logins.push(shown?.validToDate.getTime() ?? 0);
    response.end(request.url?.startsWith('/version') === true ? '{"gitVersion":"v1.20.2"}' : 'ok');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    cluster: { ...cluster, endpoint: { ...cluster.endpoint, address: ipv4('127.0.0.1'), port } },
    logins,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
