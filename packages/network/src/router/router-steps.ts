// From the changes that the router needs to the steps of a plan: one for leases, one for names, one for balancers. Pure.
import { createHash } from 'node:crypto';
import type { Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { RouterPart } from '@labwright/core/blueprint/blueprint';
import { type ErrorJson, LabwrightError } from '@labwright/core/errors/error';
import type { AreaPlan } from '@labwright/core/plan/plan';
import { type Reliance, type Step, stepId } from '@labwright/core/plan/step';
import { type ConfigMap, canonicalValue, listAt, textAt } from '@labwright/drivers/pfsense/config/config-value';
import { formatPlace, type Place } from '@labwright/drivers/pfsense/config/place';
import type { Change } from '@labwright/drivers/pfsense/edits/change';
import type { Conflict } from '@labwright/drivers/pfsense/edits/plan-edits';
import type { RouterPlan } from '@labwright/drivers/pfsense/keeper/desired';
import { conflictFix } from './router-end.ts';

export const routerStepKinds = { dhcp: 'router.leases', dns: 'router.names', haproxy: 'router.balancers' } as const;

const nouns: Readonly<Record<RouterPart, readonly [one: string, more: string]>> = {
  dhcp: ['lease', 'leases'],
  dns: ['name', 'names'],
  haproxy: ['balancer entry', 'balancer entries'],
};

const formatCount = (count: number, [one, more]: readonly [string, string]): string =>
  `${count} ${count === 1 ? one : more}`;

export interface RouterStepsInput {
  /** Its name. */
  readonly router: string;
  readonly plan: Pick<RouterPlan, 'changes' | 'conflicts'> & { readonly problems: readonly string[] };
  /** Parts that are not managed (any more): what their steps do is take away what is left of ours, and that is asked about. */
  readonly released?: readonly RouterPart[];
  /** What others have of the range for services there, one phrase each. */
  readonly services?: { readonly range: Ipv4Range; readonly uses: readonly string[] };
  /** Why nothing is written to it. */
  readonly readOnly?: string;
  /** Why nothing is written for HAProxy, which is to be managed. */
  readonly idleBalancer?: LabwrightError;
  /** VM IDs of the machines that are to stand on it. */
  readonly machines: readonly number[];
}

/** The write waits for what else comes, and five seconds later it is looked at. */
const estimateMs = 12_000;

export function planRouterSteps(input: RouterStepsInput): AreaPlan {
  const { router, plan, readOnly, services, idleBalancer } = input;
  const problems = [
    ...(idleBalancer === undefined ? [] : [idleBalancer.toJSON()]),
    ...plan.conflicts.map((conflict) => conflictProblem(router, conflict)),
    ...plan.problems.map((what) =>
      new LabwrightError('LW8009', { what, where: { router }, fix: ['correct the address in the lab file'] }).toJSON(),
    ),
    ...(services === undefined || services.uses.length === 0 ? [] : [rangeProblem(router, services)]),
  ];
  if (readOnly !== undefined && plan.changes.length > 0) {
    const error = new LabwrightError('LW8006', {
      what: `the router ${router} is read and not written to, and ${plan.changes.length} entries on it should be otherwise`,
      where: { router },
      why: readOnly,
      fix: ['update Labwright', 'labwright router diff   shows the entries'],
    });
    return { steps: [], problems: [...problems, error.toJSON()], notes: [] };
  }
  const parts = (Object.keys(nouns) as RouterPart[]).map((part) => ({
    part,
    changes: plan.changes.filter((change) => partOf(change) === part),
  }));
  const steps = parts.flatMap(({ part, changes }) => (changes.length === 0 ? [] : [partStep(input, part, changes)]));
  return { steps, problems, notes: [] };
}

function partOf(change: Change): RouterPart {
  const subsystem = change.kind === 'fields' ? change.subsystem : change.place.subsystem;
  if (subsystem === 'haproxy' || subsystem === 'virtual-ip') return 'haproxy';
  // Notes of ours are about the network boot fields of DHCP.
  return subsystem === undefined || subsystem === 'dhcp' ? 'dhcp' : 'dns';
}

function partStep(
  { router, machines, released = [] }: RouterStepsInput,
  part: RouterPart,
  changes: readonly Change[],
): Step {
  const kind = routerStepKinds[part];
  const isReleased = released.includes(part);
  const verbs = new Set(changes.map(verbOf));
  const verb = isReleased
    ? 'remove'
    : verbs.size > 1 || verbs.has('change')
      ? 'change'
      : verbs.has('add')
        ? 'add'
        : 'remove';
  const subjects = [...new Set(changes.map(subjectOf))];
  const count = formatCount(subjects.length, nouns[part]);
  return {
    id: stepId(kind, router),
    kind,
    target: router,
    title: `router ${router}: ${verb} ${count} (${shorten(subjects, 2)})`,
    change: verb === 'remove' ? 'destroy' : verb,
    reason: isReleased
      ? `${part} is not in router.manage any more; removes ${subjects.join(', ')}`
      : describeChanges(changes),
    needs: [],
    // Whoever still uses them is cut off, and one word less in the lab file is easily written.
    risk: isReleased ? { level: 'data-loss', lost: `${count} of this lab on ${router}` } : { level: 'none' },
    estimateMs,
    relies: changes.flatMap((change) => relianceOn(router, change)),
    queues: [`router/${router}`],
    input: { part, machines },
  };
}

export const verbOf = (change: Change): 'add' | 'change' | 'remove' =>
  change.kind === 'fields' || (change.before !== undefined && change.after !== undefined)
    ? 'change'
    : change.before === undefined
      ? 'add'
      : 'remove';

/** "adds node101.home.arpa, node102.home.arpa; removes old.home.arpa". */
function describeChanges(changes: readonly Change[]): string {
  const groups = (['add', 'change', 'remove'] as const).flatMap((verb) => {
    const subjects = new Set(changes.filter((change) => verbOf(change) === verb).map(subjectOf));
    return subjects.size === 0 ? [] : [`${verb}s ${shorten([...subjects])}`];
  });
  return groups.join('; ');
}

function shorten(subjects: readonly string[], most = 6): string {
  const more = subjects.length > most ? ` and ${subjects.length - most} more` : '';
  return subjects.slice(0, most).join(', ') + more;
}

/** What a person calls an entry: the name, the leased machine, the address, the front end. */
export function subjectOf(change: Change): string {
  if (change.kind === 'fields') return `network boot of ${change.path.join('/')}`;
  return entrySubject(change.place, change.after ?? change.before ?? {}, change.mark.key);
}

function entrySubject(place: Place, value: ConfigMap, key: string): string {
  switch (place.tag) {
    case 'hosts':
      return `${textAt(value, 'host')}.${textAt(value, 'domain')}`;
    case 'domainoverrides':
      return `${textAt(value, 'domain')} → ${textAt(value, 'ip')}`;
    case 'staticmap':
      return `${textAt(value, 'hostname')} ${textAt(value, 'ipaddr')}`;
    case 'vip':
      return `address ${textAt(value, 'subnet')}`;
    case 'item': {
      const [bind] = listAt(value, 'a_extaddr', 'item');
      const name = textAt(value, 'name');
      return place.path.at(-1) === 'ha_pools'
        ? `back end ${name}`
        : `front end ${name} (${textAt(bind, 'extaddr_custom')}:${textAt(bind, 'extaddr_port')})`;
    }
    default:
      return key;
  }
}

function relianceOn(router: string, change: Change): readonly Reliance[] {
  if (change.kind === 'fields') return [];
  return [{ entry: entryName(router, change.place, change.mark.key), was: formatHeld(change.before) }];
}

/** As plans rely on it: "router fw1 unbound/hosts lab.endpoint". */
export function entryName(router: string, place: Place, key: string): string {
  return `router ${router} ${formatPlace(place)} ${key}`;
}

export function formatHeld(value: ConfigMap | undefined): string {
  if (value === undefined) return 'absent';
  return createHash('sha256').update(canonicalValue(value)).digest('hex').slice(0, 12);
}

function conflictProblem(router: string, conflict: Conflict): ErrorJson {
  const { place, mark, reason } = conflict;
  return new LabwrightError('LW8008', {
    what: `an entry of the lab is not on the router ${router}: ${reason}`,
    where: { router, place: formatPlace(place), entry: mark.key },
    fix: [conflictFix(conflict)],
  }).toJSON();
}

/** The rest of the range is given all the same: what is in use is passed over. */
function rangeProblem(
  router: string,
  { range: { first, last }, uses }: NonNullable<RouterStepsInput['services']>,
): ErrorJson {
  return new LabwrightError('LW8009', {
    what: `the range for services, ${first}-${last}, is partly in use on the router ${router}`,
    where: { router },
    why: shorten(uses),
    fix: ['correct services of the network in the lab file, or change that on the router'],
  }).toJSON();
}

/**
 * Steps of other areas that the router's come before: machines are started by its DHCP where that is the mode, and the
 * cluster is formed and joined by its endpoint.
 */
export function orderAfterRouter(
  plan: AreaPlan,
  routerSteps: readonly Step[],
  { isBootedByRouter }: { readonly isBootedByRouter: boolean },
): AreaPlan {
  if (routerSteps.length === 0) return plan;
  const idsOf = (...kinds: readonly string[]): readonly string[] =>
    routerSteps.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id);
  const booting = isBootedByRouter ? idsOf(routerStepKinds.dhcp) : [];
  const joining = idsOf(routerStepKinds.dns, routerStepKinds.haproxy);
  return {
    ...plan,
    steps: plan.steps.map((step) => {
      const more = step.kind === 'vm.start' ? booting : isJoining(step) ? joining : [];
      return more.length === 0 ? step : { ...step, needs: [...step.needs, ...more] };
    }),
  };
}

const isJoining = ({ kind }: Step): boolean => kind === 'cluster.form' || kind === 'cluster.join';
