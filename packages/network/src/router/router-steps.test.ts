import { ipv4, type Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { planRouter } from '@labwright/drivers/pfsense/keeper/desired';
import { routerSetup } from '@labwright/drivers/pfsense/router-setup';
import { sampleConfig } from '@labwright/drivers/pfsense/test-config';
import { profileOf } from '@labwright/drivers/pfsense/version-profile';
import { describe, expect, test } from 'vitest';
import { desireRouter, releasedParts, routerTerms, type RouterWish } from './desired-router.ts';
import { ownerOf } from './entry-names.ts';
import { orderAfterRouter, planRouterSteps } from './router-steps.ts';
import { findServicesUse } from './router-view.ts';
import { makeBlueprint } from './sample-router.test-data.ts';

const blueprint = makeBlueprint();
const profile = profileOf('2.7.2-RELEASE', 'pfSense');
const empty = parseXml(
  sampleConfig
    .replaceAll('192.0.2.', '10.1.2.')
    .replace('<ipaddr>10.1.2.1</ipaddr>', '<ipaddr>10.1.0.1</ipaddr>')
    .replace('<subnet>24</subnet>', '<subnet>22</subnet>'),
);

function planFor(document: typeof empty, lab: RouterWish['lab'], readOnly?: string, range?: Ipv4Range) {
  const { desired, problems } = desireRouter(
    routerTerms(blueprint),
    { lab, exposures: 'kept' },
    routerSetup({ document, profile, hasBalancer: true }),
  );
  const plan = planRouter(document, desired);
  const steps = planRouterSteps({
    router: 'fw1',
    plan: { ...plan, problems },
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(range === undefined
      ? {}
      : { services: { range, uses: findServicesUse({ document }, ownerOf(blueprint.lab), range) } }),
    machines: blueprint.machines.map(({ vmId }) => vmId),
  });
  return { ...steps, document: plan.document };
}

describe('the steps of a router', () => {
  test('are one for leases, one for names, one for balancers, and none the second time', () => {
    const { steps, problems, document } = planFor(empty, { blueprint });
    expect(problems).toEqual([]);
    expect(steps.map(({ id, title, change, reason }) => ({ id, title, change, reason }))).toMatchInlineSnapshot(`
      [
        {
          "change": "add",
          "id": "router.leases fw1",
          "reason": "adds node101 10.1.1.1, node102 10.1.1.2, node103 10.1.1.3",
          "title": "router fw1: add 3 leases (node101 10.1.1.1, node102 10.1.1.2 and 1 more)",
        },
        {
          "change": "add",
          "id": "router.names fw1",
          "reason": "adds node101.home.arpa, node102.home.arpa, node103.home.arpa, kube.home.arpa",
          "title": "router fw1: add 4 names (node101.home.arpa, node102.home.arpa and 2 more)",
        },
        {
          "change": "add",
          "id": "router.balancers fw1",
          "reason": "adds address 10.1.0.10, back end lw-home-endpoint, back end lw-home-node101, back end lw-home-node102, back end lw-home-node103, front end lw-home-endpoint (10.1.0.10:6443)",
          "title": "router fw1: add 6 balancer entries (address 10.1.0.10, back end lw-home-endpoint and 4 more)",
        },
      ]
    `);
    expect(steps[0]?.relies[0]).toEqual({
      entry: 'router fw1 dhcpd/lan/staticmap lab.machine.node101',
      was: 'absent',
    });
    expect(steps.every(({ risk }) => risk.level === 'none')).toBe(true);
    expect(planFor(document, { blueprint }).steps).toEqual([]);
  });

  test('take everything away when nothing is left', () => {
    const { document } = planFor(empty, { blueprint });
    const { steps } = planFor(document, 'none');
    expect(steps.map(({ title, change }) => `${title}: ${change}`)).toEqual([
      'router fw1: remove 3 leases (node101 10.1.1.1, node102 10.1.1.2 and 1 more): destroy',
      'router fw1: remove 4 names (node101.home.arpa, node102.home.arpa and 2 more): destroy',
      'router fw1: remove 6 balancer entries (address 10.1.0.10, back end lw-home-endpoint and 4 more): destroy',
    ]);
    expect(steps[1]?.relies.every(({ was }) => /^[0-9a-f]{12}$/.test(was))).toBe(true);
  });

  test('take away what is not managed any more, by name, and ask', () => {
    const { document } = planFor(empty, { blueprint });
    const less = makeBlueprint({ 'manage: [dhcp, dns, haproxy]': 'manage: [dhcp]' });
    const terms = routerTerms(less);
    const { desired } = desireRouter(
      terms,
      { lab: { blueprint: less }, exposures: 'kept' },
      routerSetup({ document, profile, hasBalancer: true }),
    );
    const { steps } = planRouterSteps({
      router: 'fw1',
      plan: { ...planRouter(document, desired), problems: [] },
      released: releasedParts(terms.manage),
      machines: [],
    });
    expect(steps.map(({ title, reason, change, risk }) => ({ title, reason, change, risk }))).toMatchInlineSnapshot(`
      [
        {
          "change": "destroy",
          "reason": "dns is not in router.manage any more; removes node101.home.arpa, node102.home.arpa, node103.home.arpa, kube.home.arpa",
          "risk": {
            "level": "data-loss",
            "lost": "4 names of this lab on fw1",
          },
          "title": "router fw1: remove 4 names (node101.home.arpa, node102.home.arpa and 2 more)",
        },
        {
          "change": "destroy",
          "reason": "haproxy is not in router.manage any more; removes address 10.1.0.10, back end lw-home-endpoint, back end lw-home-node101, back end lw-home-node102, back end lw-home-node103, front end lw-home-endpoint (10.1.0.10:6443)",
          "risk": {
            "level": "data-loss",
            "lost": "6 balancer entries of this lab on fw1",
          },
          "title": "router fw1: remove 6 balancer entries (address 10.1.0.10, back end lw-home-endpoint and 4 more)",
        },
      ]
    `);
  });

  test('come with the problem of a range for services that the router leases out in part', () => {
    const range = { first: ipv4('10.1.2.55'), last: ipv4('10.1.2.120') };
    const { steps, problems } = planFor(empty, { blueprint }, undefined, range);
    expect(steps).toHaveLength(3);
    expect(problems).toMatchObject([
      {
        code: 'LW8009',
        what: 'the range for services, 10.1.2.55-10.1.2.120, is partly in use on the router fw1',
        why: "10.1.2.100 to 10.1.2.150 is leased out by the router's DHCP on lan, 10.1.2.60 is kept for printer by the router's DHCP on lan",
      },
    ]);
    const free = { first: ipv4('10.1.3.100'), last: ipv4('10.1.3.200') };
    expect(planFor(empty, { blueprint }, undefined, free).problems).toEqual([]);
  });

  test('are none for a version that is only read, and the plan says so', () => {
    const { steps, problems } = planFor(empty, { blueprint }, 'pfSense 2.9 was not checked with this Labwright');
    expect(steps).toEqual([]);
    expect(problems).toMatchObject([{ code: 'LW8006', why: 'pfSense 2.9 was not checked with this Labwright' }]);
  });

  test('leave out what a person’s entry has the place of, and say the way out', () => {
    const theirs = parseXml(
      sampleConfig
        .replaceAll('192.0.2.', '10.1.2.')
        .replace('<ipaddr>10.1.2.1</ipaddr>', '<ipaddr>10.1.0.1</ipaddr>')
        .replace('<subnet>24</subnet>', '<subnet>22</subnet>')
        .replace(
          '<host>photos</host>\n\t\t\t<domain>lab.test</domain>',
          '<host>kube</host>\n\t\t\t<domain>home.arpa</domain>',
        ),
    );
    const { steps, problems } = planFor(theirs, { blueprint });
    expect(steps.find(({ kind }) => kind === 'router.names')?.reason).not.toContain('kube.home.arpa');
    expect(problems).toMatchObject([
      { code: 'LW8008', fix: ['choose another, or hand that entry over: labwright router adopt NAME'] },
    ]);
    expect(JSON.stringify(problems)).toContain('the name kube.home.arpa is taken by an entry made by hand');
  });
});

test('the cluster waits for its endpoint, and machines for their leases where the router starts them', () => {
  const { steps } = planFor(empty, { blueprint });
  const step = (kind: string): Step => ({ ...(steps[0] as Step), id: `${kind} x`, kind, needs: ['before'] });
  const area: AreaPlan = {
    steps: [step('vm.start'), step('cluster.form'), step('vm.create')],
    problems: [],
    notes: [],
  };
  const needs = (isBootedByRouter: boolean) =>
    orderAfterRouter(area, steps, { isBootedByRouter }).steps.map((each) => each.needs);
  expect(needs(false)).toEqual([['before'], ['before', 'router.names fw1', 'router.balancers fw1'], ['before']]);
  expect(needs(true)[0]).toEqual(['before', 'router.leases fw1']);
  expect(orderAfterRouter(area, [], { isBootedByRouter: true })).toBe(area);
});
