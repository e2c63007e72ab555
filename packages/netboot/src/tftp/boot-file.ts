// The file behind a read request: a boot loader or a script of the boot that the path's token, or the address, belongs to.
import type { TftpRequest } from '@labwright/wire/tftp/packet';
import type { BootNetwork } from '../boot-network.ts';
import { autoexecRoute, parseBootPath, redactPath, scriptNames } from '../boot-routes.ts';
import { renderIpxeScript } from '../ipxe/script.ts';
import type { BootSession } from '../session/boot-session.ts';
import type { BootSessions } from '../session/boot-sessions.ts';
import { seemsIpxe, type FindStaticFile, type StaticFile } from '../static/static-files.ts';
import type { SendOutcome } from './send-file.ts';
import type { TftpFile } from './tftp-server.ts';

export interface TftpFileWorld {
  readonly sessions: BootSessions;
  readonly network: BootNetwork;
  readonly loaders: ReadonlyMap<string, Uint8Array>;
  readonly findStatic: FindStaticFile;
}

export async function findTftpFile(request: TftpRequest, peer: string, world: TftpFileWorld): Promise<TftpFile> {
  const { sessions, network, loaders } = world;
  const { fileName } = request;
  const fixed = await world.findStatic(fileName, { address: peer, seemsIpxe: seemsIpxe(request.options) });
  if (fixed !== undefined) return staticFile(fixed, sessions);
  const route = parseBootPath(fileName) ?? autoexecRoute(fileName, sessions.loadedAt(peer));
  if (route === undefined) return { kind: 'refused', reason: `there is no ${redactPath(fileName)}` };
  const redeemed = sessions.redeem(route.token, peer);
  if (redeemed.kind === 'refused') return redeemed;
  const { session } = redeemed;
  if (scriptNames.has(route.name)) {
    const isEarly = route.name === 'autoexec.ipxe';
    const script = renderIpxeScript(session.machine, network, session.token, isEarly ? 'unconfigured' : 'configured');
    // An early script asks DHCP for an address: that is still this boot, and not the beginning of another.
    return scriptFile(script, () => {
      if (!isEarly) sessions.see(session, { type: 'requested', name: route.name });
    });
  }
  const content = loaders.get(route.name);
  if (content === undefined) {
    return { kind: 'refused', reason: `${session.machine.name} asked for ${route.name}, which does not exist` };
  }
  return loaderFile(sessions, session, route.name, content);
}

function staticFile(file: StaticFile, sessions: BootSessions): TftpFile {
  switch (file.kind) {
    case 'refused':
      return file;
    case 'loader':
      return loaderFile(sessions, file.session, file.loader, file.content);
    case 'script':
      return scriptFile(file.text, () => {
        if (file.boots) sessions.see(file.session, { type: 'requested', name: 'boot.ipxe' });
      });
  }
}

function scriptFile(script: string, onStart: () => void): TftpFile {
  return { kind: 'file', content: new TextEncoder().encode(script), onStart, onEnd: () => undefined };
}

function loaderFile(sessions: BootSessions, session: BootSession, file: string, content: Uint8Array): TftpFile {
  return {
    kind: 'file',
    content,
    onStart: () => sessions.see(session, { type: 'loader-requested', file }),
    onEnd: (outcome) => noteLoader(sessions, session, file, outcome),
  };
}

function noteLoader(sessions: BootSessions, session: BootSession, file: string, outcome: SendOutcome): void {
  switch (outcome.kind) {
    case 'sent':
      return sessions.see(session, { type: 'loader-sent', file });
    case 'size-asked':
      return;
    case 'aborted':
      return sessions.see(session, { type: 'loader-failed', file, why: outcome.why });
    case 'timed-out':
      return sessions.see(session, { type: 'loader-failed', file, why: `after ${outcome.sentBytes} bytes` });
  }
}
