// The router of a lab on hardware: does it answer, is it one that we write to, and may the login do that.
import type { Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { Blueprint, RouterBlueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import type { RouterLogin } from '@labwright/daemon/router/router-area';
import { balancerStanding, findIdleBalancer } from '@labwright/drivers/pfsense/balancer-standing';
import { connectPfsense } from '@labwright/drivers/pfsense/connection';
import { type RouterState, fetchRouterState } from '@labwright/drivers/pfsense/router-state';
import type { RouterPins } from '@labwright/drivers/pfsense/tls-pin';
import { ownerOf } from '@labwright/network/router/entry-names';
import { findServicesUse } from '@labwright/network/router/router-view';
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
  { router, lab, exposures }: Pick<Blueprint, 'lab' | 'exposures'> & { readonly router: RouterBlueprint },
  { login, pins }: RouterAccess,
): Promise<readonly Finding[]> {
  const connection = connectPfsense({
    router: { name: router.name, address: router.address, port: router.port },
    ...login,
    pins,
    expect: 'hardware',
    log: silentLog,
    answerTimeoutMs: 30_000,
  });
  try {
    const wait = makeWait(program, `waiting for the router ${router.name} (${router.address})`);
    const state = await wait(() => fetchRouterState(connection, undefined, program.interrupt));
    const { range } = exposures;
    const found = judgeRouter(router, login.user, state);
    return range === undefined
      ? found
      : [...found, ...judgeServices(router, range, findServicesUse(state, ownerOf(lab), range))];
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
  { profile, ...state }: Pick<RouterState, 'profile' | 'document' | 'hasBalancer'>,
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
  const idle = manage.includes('haproxy') ? findIdleBalancer(name, balancerStanding(state)) : undefined;
  if (idle !== undefined) findings.push(findingOf(idle, 'router.manage: [haproxy]'));
  return findings;
}

/** `uses`: what others have of the range there, one phrase each. */
export function judgeServices(
  { name }: Pick<RouterBlueprint, 'name'>,
  { first, last }: Ipv4Range,
  uses: readonly string[],
): readonly Finding[] {
  if (uses.length === 0) return [];
  const more = uses.length > 3 ? ` and ${uses.length - 3} more` : '';
  return [
    {
      verdict: 'nice',
      what: `the range for services, ${first}-${last}, is partly in use on the router ${name}`,
      why: uses.slice(0, 3).join(', ') + more,
      advice: ['correct services of the network in the lab file, or change that on the router'],
    },
  ];
}
