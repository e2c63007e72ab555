// A connection to a pfSense over its XML-RPC: one call at a time, and none after a refused login until that is mended.
import { LabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import { keyedQueue } from '@labwright/core/engine/keyed-queue';
import { Pool } from 'undici';
import { z } from 'zod';
import { RouterLogin, type RouterLoginOptions } from './login.ts';
import { type SnippetName, formatSnippet } from './snippet.ts';
import {
  type RouterAddress,
  type RouterIdentification,
  RouterConnectFailure,
  type RouterPins,
  routerConnector,
} from './tls-pin.ts';
import {
  type RpcAnswer,
  RpcProblem,
  type RpcValue,
  answerBounds,
  formatCall,
  isStruct,
  parseRpcAnswer,
} from './xmlrpc/xmlrpc.ts';

export interface ConnectPfsenseOptions extends RouterLoginOptions {
  readonly router: RouterAddress;
  readonly user: string;
  readonly pins: RouterPins;
  readonly expect: RouterIdentification['expect'];
  readonly log: Log;
  /** nginx on the router gives PHP 180 s; a small appliance under load has answered after 30 s. */
  readonly answerTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
}

export interface PfsenseConnection {
  readonly router: RouterAddress;
  /**
   * Runs a snippet and reads its answer. Throws LW8001 (no answer; `sent` in `where` says whether it may have run), LW8002,
   * LW8003, LW8004 and LW8005; the signal's reason when aborted. The router goes on with a call whose caller has gone.
   */
  execute<Answer>(name: SnippetName, values: unknown, answer: z.ZodType<Answer>, signal: AbortSignal): Promise<Answer>;
  fetchFirmware(signal: AbortSignal): Promise<Firmware>;
  /**
   * Whether what a call failed for with LW8002 or LW8003 is another by now: the password that the lab refers to, or the
   * certificate that is trusted. Sends nothing, and no connection is made.
   */
  isMended(error: LabwrightError): Promise<boolean>;
  /**
   * A person asks for one more login after a refused one. Says whether the next call sends one: not where it could have the
   * router ban this computer.
   */
  allowLogin(): Promise<boolean>;
  close(): Promise<void>;
}

export interface Firmware {
  readonly version: string;
  readonly platform: string;
  readonly configVersion: string;
}

const firmwareAnswer = z.object({
  firmware: z.object({ version: z.string() }),
  platform: z.string(),
  config_version: z.string(),
});
const snippetAnswer = z.strictObject({ r: z.string() });

/** Opens nothing yet: the first call connects. */
export function connectPfsense(options: ConnectPfsenseOptions): PfsenseConnection {
  const { router, user, log, answerTimeoutMs = 120_000, connectTimeoutMs = 10_000 } = options;
  const host = router.address.includes(':') ? `[${router.address}]` : router.address;
  const pool = new Pool(`https://${host}:${router.port}`, {
    connect: routerConnector(router, { pins: options.pins, expect: options.expect, connectTimeoutMs, log }),
    allowH2: false,
    connections: 1,
    // Without keep-alive, a call that gets no answer was sent on a connection of its own: nothing else is in doubt.
    pipelining: 0,
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
    maxResponseSize: answerBounds.characters,
  });
  // The router answers one call at a time; calls that stand in line here give up with their signal, there they would not.
  const line = keyedQueue();
  const login = new RouterLogin(options);

  const call = async (method: string, parameters: readonly RpcValue[], signal: AbortSignal): Promise<RpcValue> =>
    await line.run([router.name], signal, async () => {
      if (login.refusal !== undefined) throw login.refusal;
      const answer = await exchange(method, parameters, signal);
      if (answer.kind === 'value') return answer.value;
      const error = faultError(router, method, user, answer);
      if (error.code === 'LW8002') login.refused(error, answer.code === -2 ? 'privilege' : 'login');
      throw error;
    });

  const exchange = async (method: string, parameters: readonly RpcValue[], signal: AbortSignal): Promise<RpcAnswer> => {
    const credentials = Buffer.from(`${user}:${login.password.reveal()}`, 'utf8').toString('base64');
    try {
      const response = await pool.request({
        method: 'POST',
        path: '/xmlrpc.php',
        headers: {
          // There is no challenge: without this header the login counts as failed.
          authorization: `Basic ${credentials}`,
          'content-type': 'text/xml; charset=utf-8',
          'user-agent': 'labwright',
        },
        body: formatCall(method, parameters),
        signal,
      });
      const body = await response.body.text();
      if (response.statusCode === 401 || response.statusCode === 403) {
        const error = loginError(router, user, `HTTP status ${response.statusCode}`);
        login.refused(error, 'login');
        throw error;
      }
      if (response.statusCode !== 200) throw statusError(router, method, response.statusCode, body);
      return parseRpcAnswer(body);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LabwrightError) throw error;
      if (error instanceof RpcProblem) throw foreignError(router, method, error);
      throw silenceError(router, method, error);
    }
  };

  return {
    router,
    async execute(name, values, answer, signal) {
      const value = await call('pfsense.exec_php', [await formatSnippet(name, values)], signal);
      const text = snippetAnswer.safeParse(isStruct(value) ? value : undefined);
      // PHP that broke off leaves $toreturn unset, and exec_php makes "true" of it.
      if (!text.success) throw foreignError(router, name, new RpcProblem('the snippet gave no answer'));
      return readJson(router, name, text.data.r, answer);
    },
    async fetchFirmware(signal) {
      // Both parameters are needed from 2.7.0, the second from 2.5.2; older ones ignore them.
      const value = await call('pfsense.host_firmware_version', ['', 60], signal);
      const firmware = firmwareAnswer.safeParse(value);
      if (!firmware.success) throw foreignError(router, 'host_firmware_version', firmware.error);
      const { platform, config_version: configVersion } = firmware.data;
      return { version: firmware.data.firmware.version, platform, configVersion };
    },
    isMended: async ({ code, where }) => {
      if (code !== 'LW8003') return await login.isMended();
      // One of the other world is trusted by nobody.
      const { known } = where;
      return known !== undefined && (await options.pins.get(router.name)) !== known;
    },
    allowLogin: async () => (await login.isMended()) || login.forgive(),
    close: async () => {
      await pool.close();
    },
  };
}

function readJson<Answer>(router: RouterAddress, name: string, text: string, schema: z.ZodType<Answer>): Answer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw foreignError(router, name, error);
  }
  const read = schema.safeParse(value);
  if (!read.success) throw foreignError(router, name, read.error);
  return read.data;
}

const placeOf = (router: RouterAddress, call: string): Record<string, string> => ({
  router: router.name,
  address: `${router.address}:${router.port}`,
  call,
});

function silenceError(router: RouterAddress, call: string, cause: unknown): LabwrightError {
  const sent = !(cause instanceof RouterConnectFailure);
  return new LabwrightError('LW8001', {
    what: `the router ${router.name} did not answer`,
    where: { ...placeOf(router, call), sent: sent ? 'perhaps' : 'no' },
    why: cause instanceof Error ? cause.message : String(cause),
    fix: [
      `open https://${router.address}:${router.port}/ from this computer`,
      'correct router.address and router.port in the lab file',
    ],
    cause,
  });
}

function statusError(router: RouterAddress, call: string, status: number, body: string): LabwrightError {
  // nginx answers for PHP when that does not (502, 504) or has no worker free (503); PHP may have run all the same.
  const isPassing = status >= 500;
  return new LabwrightError(isPassing ? 'LW8001' : 'LW8005', {
    what: `the router ${router.name} answered with HTTP status ${status}`,
    where: { ...placeOf(router, call), sent: 'perhaps' },
    why: excerpt(body),
    fix: isPassing ? ['it is tried again by itself'] : ['correct router.address and router.port in the lab file'],
  });
}

function foreignError(router: RouterAddress, call: string, cause: unknown): LabwrightError {
  return new LabwrightError('LW8005', {
    what: `the router ${router.name} gave an answer that is none of pfSense's`,
    where: placeOf(router, call),
    why: cause instanceof Error ? cause.message.slice(0, 400) : String(cause).slice(0, 400),
    fix: ['see that router.address and router.port in the lab file are those of a pfSense'],
    cause,
  });
}

function loginError(router: RouterAddress, user: string, why: string): LabwrightError {
  return new LabwrightError('LW8002', {
    what: `the router ${router.name} refused the login of ${user}`,
    where: placeOf(router, 'login'),
    why: `${why}; nothing more is sent, because pfSense bans an address after a few failed logins`,
    fix: [
      'correct router.user and router.password in the lab file, or the secret that it names',
      'a secret that is another one by then is taken up by itself; one that comes from the environment: start Labwright again',
      'the same one is tried once more at the next: labwright up',
    ],
  });
}

/** Codes of pfSense's own (xmlrpc.php) and of its library (PEAR XML_RPC2). */
function faultError(
  router: RouterAddress,
  call: string,
  user: string,
  fault: Extract<RpcAnswer, { kind: 'fault' }>,
): LabwrightError {
  if (fault.code === -1) return loginError(router, user, excerpt(fault.message));
  if (fault.code === -2) {
    return new LabwrightError('LW8002', {
      what: `the user ${user} of the router ${router.name} may not use its interface for programs`,
      where: placeOf(router, call),
      why: excerpt(fault.message),
      fix: [
        'give it the privilege "System - HA node sync" under System > User Manager',
        'it is looked at again each minute',
      ],
    });
  }
  return new LabwrightError('LW8004', {
    what: `the router ${router.name} refused ${call}`,
    where: { ...placeOf(router, call), fault: String(fault.code) },
    why: excerpt(fault.message),
    fix: ['see Status > System Logs on the router'],
  });
}

const excerpt = (text: string): string =>
  text
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
