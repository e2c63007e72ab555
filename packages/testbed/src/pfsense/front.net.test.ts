// xmlrpc.php of the emulated pfSense, asked by Python's xmlrpc.client: who may call it, how values and faults arrive, what goes wrong.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPfsense, type PfsenseLan } from './pfsense-lan.ts';

let router: PfsenseLan;

beforeAll(async () => {
  const startedAt = performance.now();
  router = await startPfsense({ loginProtection: { threshold: 30, blockSeconds: 3 } });
  console.log(`the router answers after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}, 60_000);
afterAll(async () => {
  await router?.stop();
});

const returning = (value: string): string => `$toreturn = ${value};`;

describe('a call', () => {
  it('tells the version', async () => {
    expect(await router.call('pfsense.host_firmware_version', [1, 30])).toEqual({
      kind: 'value',
      value: {
        firmware: { version: '2.7.2-RELEASE' },
        kernel: { version: '14.0' },
        base: { version: '14.0' },
        platform: 'pfSense',
        config_version: '23.3',
      },
    });
  });

  it('gives values as PHP has them', async () => {
    const value =
      '["text" => "a & b < \\"c\\" ü", "int" => 7, "yes" => true, "list" => [1, "2"], "map" => ["a" => ""], "none" => []]';
    expect(await router.php(returning(value))).toEqual({
      kind: 'value',
      value: { text: 'a & b < "c" ü', int: 7, yes: true, list: [1, '2'], map: { a: '' }, none: [] },
    });
  });

  it.each(['false', '0', '""', '[]', 'null'])('gives true for %s', async (value) => {
    expect(await router.php(returning(value))).toEqual({ kind: 'value', value: true });
  });

  it('fails for a null within', async () => {
    expect(await router.php(returning('["a" => null]'))).toMatchObject({ kind: 'fault', code: 1 });
  });

  it('tells an exception as fault 1', async () => {
    expect(await router.php('throw new RuntimeException("no such thing");')).toMatchObject({
      kind: 'fault',
      code: 1,
      text: expect.stringContaining('no such thing'),
    });
  });

  it.each(['pfsense_no_such_function();', 'this is no PHP;'])('ends in status 500: %s', async (code) => {
    expect(await router.php(code)).toEqual({ kind: 'http', status: 500 });
  });

  it('is not understood when the code prints', async () => {
    expect(await router.php('echo "<b>hello</b>"; $toreturn = 1;')).toMatchObject({ kind: 'gone' });
  });

  it('is refused for an unknown method and for missing parameters, not for more than needed', async () => {
    expect(await router.call('pfsense.filter_configure', [false])).toMatchObject({ kind: 'fault', code: -32601 });
    expect(await router.call('system.reboot', [])).toMatchObject({ kind: 'fault', code: -32601 });
    expect(await router.call('pfsense.restore_config_section', [{ wol: {} }])).toMatchObject({
      kind: 'fault',
      code: -32602,
    });
    expect(await router.call('pfsense.host_firmware_version', [])).toMatchObject({ kind: 'fault', code: -32602 });
    expect(await router.call('pfsense.backup_config_section', ['unbound'])).toMatchObject({
      kind: 'fault',
      code: -32602,
    });
    expect(await router.call('pfsense.backup_config_section', [['wol'], 30])).toEqual({ kind: 'value', value: [] });
  });

  it('runs alone: calls at once come one after the other', async () => {
    const code =
      '$file = "/tmp/at-once"; $alone = !file_exists($file); touch($file); usleep(200000); unlink($file); $toreturn = $alone ? "alone" : "not";';
    const replies = await Promise.all([router.php(code), router.php(code), router.php(code)]);
    expect(replies).toEqual(Array.from({ length: 3 }, () => ({ kind: 'value', value: 'alone' })));
  });
});

it('waits for a call for as long as none comes', async () => {
  const code = '$toreturn = ini_get_all(null, true)["default_socket_timeout"]["global_value"];';
  expect(await router.php(code)).toEqual({ kind: 'value', value: '-1' });
});

describe('a login', () => {
  it('is that of the administrator or of one with the privilege', async () => {
    expect(await router.php(returning('1'), { user: 'admin' })).toMatchObject({ kind: 'value' });
    expect(await router.php(returning('1'), { user: 'none' })).toMatchObject({ kind: 'fault', code: -2 });
  });

  it('that fails three times has its address shut out for a while', async () => {
    const wrong = { password: 'wrong', timeoutSeconds: 1 };
    expect(await router.php(returning('1'), wrong)).toMatchObject({ kind: 'fault', code: -1 });
    // The one without the privilege was the first.
    expect(await router.php(returning('1'), wrong)).toMatchObject({ kind: 'fault', code: -1 });
    expect(await router.php(returning('1'), { timeoutSeconds: 1 })).toMatchObject({ kind: 'gone' });
    expect((await router.control.fetchStatus()).blocked).toEqual(['10.77.46.50']);
    await expect
      .poll(async () => await router.php(returning('1'), { timeoutSeconds: 2 }), { timeout: 8_000 })
      .toMatchObject({ kind: 'value' });
  });
});

describe('a fault', () => {
  const note = 'file_put_contents("/tmp/called", "x", FILE_APPEND); $toreturn = 1;';
  const count = 'clearstatcache(); $toreturn = "n" . (int)@filesize("/tmp/called");';

  it('answers 500, with the work done or not', async () => {
    await router.control.addFault({ kind: 'answer', status: 500, times: 1 });
    expect(await router.php(note)).toEqual({ kind: 'http', status: 500 });
    expect(await router.php(count)).toEqual({ kind: 'value', value: 'n0' });
    await router.control.addFault({ kind: 'answer', isCarriedOut: true, times: 1 });
    expect(await router.php(note)).toEqual({ kind: 'http', status: 500 });
    expect(await router.php(count)).toEqual({ kind: 'value', value: 'n1' });
  });

  it('cuts the connection after the work', async () => {
    // Python's client asks a second time by itself, so the work is done twice.
    await router.control.addFault({ kind: 'cut', times: 2 });
    expect(await router.php(note)).toMatchObject({ kind: 'gone' });
    expect(await router.php(count)).toEqual({ kind: 'value', value: 'n3' });
  });

  it('makes a call slow, and the work goes on when the client has given up', async () => {
    await router.control.addFault({ kind: 'slow', seconds: 2, times: 1 });
    expect(await router.php(note, { timeoutSeconds: 1 })).toMatchObject({ kind: 'gone' });
    await expect.poll(async () => await router.php(count), { timeout: 5_000 }).toEqual({ kind: 'value', value: 'n4' });
  });
});
