// The router of a lab on hardware: does it answer, is it one that we write to, and may the login do that.
import type { RouterBlueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import type { RouterLogin } from '@labwright/daemon/router/router-area';
import { connectPfsense } from '@labwright/drivers/pfsense/connection';
import { type RouterState, fetchRouterState } from '@labwright/drivers/pfsense/router-state';
import type { RouterPins } from '@labwright/drivers/pfsense/tls-pin';
import type { Program } from '../program.ts';
import { makeWait } from '../render/waiting.ts';
import { findingOf, type Finding } from './doctor-report.ts';

const blocked = 'what router.manage of the lab file names';

export interface RouterAccess {
  readonly login: RouterLogin;
  readonly pins: RouterPins;
}

/** Reads once. A refused login is not tried again: pfSense bans an address after a few. */
export async function checkRouter(
  program: Program,
  router: RouterBlueprint,
  { login, pins }: RouterAccess,
): Promise<readonly Finding[]> {
  const connection = connectPfsense({
    router: { name: router.name, address: router.address, port: 443 },
    ...login,
    pins,
    expect: 'hardware',
    log: silentLog,
    answerTimeoutMs: 30_000,
  });
  try {
    const wait = makeWait(program, `waiting for the router ${router.name} (${router.address})`);
    return judgeRouter(
      router,
      login.user,
      await wait(() => fetchRouterState(connection, undefined, program.interrupt)),
    );
  } catch (thrown) {
    program.interrupt.throwIfAborted();
    return [findingOf(asLabwrightError(thrown), blocked)];
  } finally {
    await connection.close();
  }
}

export function judgeRouter(
  { name, address, manage }: RouterBlueprint,
  user: string,
  { profile, hasBalancer }: Pick<RouterState, 'profile' | 'hasBalancer'>,
): readonly Finding[] {
  const findings: Finding[] = [
    { verdict: 'fine', what: `router ${name} (${address}) answers: pfSense ${profile.version}` },
    { verdict: 'fine', what: `${user} may use the router's interface for programs` },
  ];
  if (profile.readOnly !== undefined) {
    findings.push({
      verdict: 'blocks',
      what: `the router ${name} is read and not written to`,
      why: profile.readOnly,
      blocks: blocked,
      advice: ['update Labwright'],
    });
  }
  if (manage.includes('haproxy') && !hasBalancer) {
    findings.push({
      verdict: 'blocks',
      what: `the router ${name} has no HAProxy`,
      blocks: 'router.manage: [haproxy]',
      advice: ['install the package haproxy under System > Package Manager'],
    });
  }
  return findings;
}
