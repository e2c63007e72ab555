import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PfsenseConnection } from './connection.ts';
import { namesAnswer, stateAnswer } from './snippet.ts';
import { sampleConfig } from './test-config.ts';
import {
  type Certificate,
  type PeerAnswer,
  type PeerCall,
  type RouterPeer,
  connectTo,
  faultReply,
  makeRouterCertificate,
  memoryPins,
  openRouterPeer,
  snippetReply,
  valueReply,
} from './test-peer.ts';
import { type PhpRouter, findPhp, openPhpRouter } from './test-php.ts';
import { profileOf } from './version-profile.ts';

let certificate: Certificate;
let rehearsed: Certificate;
beforeAll(async () => {
  certificate = await makeRouterCertificate();
  rehearsed = await makeRouterCertificate('Labwright rehearsal');
});

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

async function peerWith(
  answer: (call: PeerCall) => PeerAnswer | Promise<PeerAnswer>,
  as = certificate,
): Promise<RouterPeer> {
  const peer = await openRouterPeer(as, answer);
  open.push(peer);
  return peer;
}
function connected(...parameters: Parameters<typeof connectTo>): PfsenseConnection {
  const connection = connectTo(...parameters);
  open.push(connection);
  return connection;
}

const signal = new AbortController().signal;
const ask = async (connection: PfsenseConnection): Promise<unknown> =>
  await connection.execute('names', { owner: 'labwright:home/main/', remove: [], add: [] }, namesAnswer, signal);

describe('a call', () => {
  test('goes out with its credentials at once, and comes back', async () => {
    const peer = await peerWith(() => snippetReply({ kind: 'refused', message: 'a < b & "c"' }));
    expect(await ask(connected(peer.port))).toEqual({ kind: 'refused', message: 'a < b & "c"' });
    const [call] = peer.calls;
    expect(call?.method).toBe('pfsense.exec_php');
    expect(Buffer.from((call?.authorization ?? '').replace('Basic ', ''), 'base64').toString()).toBe(
      'labwright:a & <secret>',
    );
    expect(call?.strings[0]).toMatch(/^\$lw_arguments = json_decode\(base64_decode\('[A-Za-z0-9+/=]+'\), true\);\n/);
    expect(call?.strings[0]).not.toContain('<?php');
  });

  test('to host_firmware_version has both parameters', async () => {
    const peer = await peerWith(() =>
      valueReply(
        '<struct><member><name>firmware</name><value><struct><member><name>version</name><value><string>2.7.2-RELEASE</string></value></member></struct></value></member><member><name>platform</name><value>pfSense</value></member><member><name>config_version</name><value><string>23.3</string></value></member></struct>',
      ),
    );
    expect(await connected(peer.port).fetchFirmware(signal)).toEqual({
      version: '2.7.2-RELEASE',
      platform: 'pfSense',
      configVersion: '23.3',
    });
    expect(peer.calls[0]?.body).toContain(
      '<params><param><value><string></string></value></param><param><value><int>60</int></value></param></params>',
    );
  });

  test('waits for the one before it: the router answers one at a time', async () => {
    const peer = await peerWith(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return snippetReply({ kind: 'done' });
    });
    const connection = connected(peer.port);
    await Promise.all([ask(connection), ask(connection), ask(connection)]);
    expect([peer.calls.length, peer.busiest()]).toEqual([3, 1]);
  });
});

describe('a refused login', () => {
  test.each([
    ['wrong password', () => faultReply(-1, 'Authentication failed: Invalid username or password')],
    ['no privilege', () => faultReply(-2, 'Authentication failed: not enough privileges')],
    ['a proxy before it', (): PeerAnswer => ({ status: 401, body: 'no' })],
  ])('is the last thing that is sent: %s', async (_what, answer) => {
    const peer = await peerWith(answer);
    const connection = connected(peer.port);
    const tries = await Promise.allSettled(Array.from({ length: 5 }, async () => await ask(connection)));
    for (const tried of tries) expect(tried).toMatchObject({ status: 'rejected', reason: { code: 'LW8002' } });
    expect(peer.calls).toHaveLength(1);
    await expect(connection.fetchFirmware(signal)).rejects.toMatchObject({ code: 'LW8002' });
    expect(peer.calls).toHaveLength(1);
  });
});

describe('a certificate', () => {
  test('is remembered at the first contact, and another one gets no password', async () => {
    const pins = memoryPins();
    const first = await peerWith(() => snippetReply({ kind: 'done' }));
    await ask(connected(first.port, { pins }));
    expect(pins.known['gateway']).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    const second = await peerWith(() => snippetReply({ kind: 'done' }), await makeRouterCertificate());
    await expect(ask(connected(second.port, { pins }))).rejects.toMatchObject({ code: 'LW8003' });
    expect(second.calls).toEqual([]);
  });

  test('of the other world gets no password either', async () => {
    const rehearsal = await peerWith(() => snippetReply({ kind: 'done' }), rehearsed);
    await expect(ask(connected(rehearsal.port))).rejects.toMatchObject({ code: 'LW8003' });
    await expect(ask(connected(rehearsal.port, { expect: 'rehearsal' }))).resolves.toEqual({ kind: 'done' });
    const real = await peerWith(() => snippetReply({ kind: 'done' }));
    await expect(ask(connected(real.port, { expect: 'rehearsal' }))).rejects.toMatchObject({ code: 'LW8003' });
    expect([rehearsal.calls.length, real.calls.length]).toEqual([1, 0]);
  });
});

describe('an answer that is none', () => {
  test.each([
    ['true, of a snippet that broke off', valueReply('<boolean>1</boolean>')],
    ['no JSON', valueReply('<struct><member><name>r</name><value><string>{</string></value></member></struct>')],
    ['another shape', snippetReply({ kind: 'unheard of' })],
    ['a web page', { body: '<html><body>Login</body></html>' }],
    ['nothing', { body: '' }],
    ['a fault without a code', { body: '<methodResponse><fault><value>x</value></fault></methodResponse>' }],
    [
      'two values',
      { body: '<methodResponse><params><param><value>1</value><value>2</value></param></params></methodResponse>' },
    ],
    ['entities of its own', { body: '<!DOCTYPE a [<!ENTITY b "c">]><methodResponse/>' }],
    ['nil', valueReply('<nil/>')],
    ['no number', valueReply('<int>12345678901</int>')],
    ['too deep', valueReply(`${'<array><data><value>'.repeat(20)}${'</value></data></array>'.repeat(20)}`)],
    ['not found', { status: 404, body: 'no' }],
  ] satisfies [string, PeerAnswer][])('%s', async (_what, answer) => {
    const peer = await peerWith(() => answer);
    await expect(ask(connected(peer.port))).rejects.toMatchObject({ code: 'LW8005' });
  });
});

describe('no answer', () => {
  test.each([
    ['hung up', 'hang up' as const],
    ['502', { status: 502, body: '<html>Bad Gateway</html>' }],
    ['none in time', 'silence' as const],
  ])('may mean that the call was carried out: %s', async (_what, answer) => {
    const peer = await peerWith(() => answer);
    const error = await ask(connected(peer.port, { answerTimeoutMs: 500 })).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'LW8001', where: { sent: 'perhaps' } });
    expect(peer.calls).toHaveLength(1);
  });

  test('or that nothing was sent', async () => {
    const peer = await peerWith(() => 'silence');
    await peer.close();
    open.splice(0);
    await expect(ask(connected(peer.port))).rejects.toMatchObject({ code: 'LW8001', where: { sent: 'no' } });
  });

  test('a fault of PHP is the router’s refusal, in its own words', async () => {
    const peer = await peerWith(() => faultReply(1, 'Call to undefined function foo()'));
    await expect(ask(connected(peer.port))).rejects.toMatchObject({
      code: 'LW8004',
      why: 'Call to undefined function foo()',
      where: { fault: '1' },
    });
  });

  test('whoever waits can give up', async () => {
    const peer = await peerWith(() => 'silence');
    const giveUp = new AbortController();
    const asked = connected(peer.port).execute('names', {}, namesAnswer, giveUp.signal);
    giveUp.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });
});

const php = await findPhp();
describe.skipIf(php === undefined)('with a real PHP behind it', () => {
  let router: PhpRouter | undefined;
  afterAll(async () => {
    await router?.close();
  });

  test('a snippet goes all the way', async () => {
    if (php === undefined) return;
    router = await openPhpRouter(php, sampleConfig);
    const at = router;
    const peer = await peerWith(async ({ strings }) => {
      const { r } = (await at.execPhp(strings[0] ?? '')) as { readonly r: string };
      return snippetReply(JSON.parse(r) as object);
    });
    const state = await connected(peer.port).execute('state', { known: '' }, stateAnswer, signal);
    expect(state).toMatchObject({ kind: 'state', version: '2.7.2-RELEASE', platform: 'pfSense' });
  });
});

describe('profileOf', () => {
  test.each([
    ['2.5.2-RELEASE', 'pfSense', '2.5.2', true],
    ['2.6.0-RELEASE', 'pfSense', '2.6', true],
    ['2.7.0-RELEASE', 'pfSense', '2.7.0', true],
    ['2.7.2-RELEASE', 'pfSense', '2.7.2', true],
    ['2.8.1-RELEASE', 'pfSense', '2.8', true],
    ['22.05-RELEASE', 'pfSense Plus', '2.6', true],
    ['23.05.1-RELEASE', 'pfSense Plus', '2.7.0', true],
    ['23.09.1-RELEASE', 'pfSense+', '2.7.2', true],
    ['25.07.1-RELEASE', 'pfSense Plus', '2.8', true],
    ['2.4.5-RELEASE', 'pfSense', 'unknown', false],
    ['2.9.0-RELEASE', 'pfSense', 'unknown', false],
    ['26.03-RELEASE', 'pfSense Plus', 'unknown', false],
    ['2.8.0-BETA', 'pfSense', '2.8', false],
    ['', 'pfSense', 'unknown', false],
    ['2.7.2; rm', 'pfSense', 'unknown', false],
  ])('%s of %s is of the line %s', (version, platform, line, isWritten) => {
    const profile = profileOf(version, platform);
    expect([profile.line, profile.readOnly === undefined]).toEqual([line, isWritten]);
  });
});
