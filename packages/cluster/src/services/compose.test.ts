import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatComposeFile } from './compose.ts';
import { formatOutsideService, outsideServiceNotes, outsideServiceRecords } from './outside-service.ts';

const home = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');
const services = `
services:
  mariadb:
    kind: mariadb
    nas: nas1
    volume: /volume1/docker/mariadb
    environment:
      MARIADB_DATABASE: gitea
      MARIADB_USER: gitea
      MARIADB_PASSWORD: { env: GITEA_DB }
      MARIADB_ROOT_PASSWORD: { age: mariadb-root }
      MARIADB_MOTTO: costs $5
  photos: { nas: nas1, image: "ghcr.io/example/photos:1.2", port: 2283 }
  printer: { address: 10.1.0.77, port: 9100 }
`;
const { lab } = parseLab(`${home.replace(/^services:\n(?:(?:[ #].*)?\n)*/m, '')}${services}`, 'lab.yaml');
if (lab === undefined) throw new Error('the lab of this test is one');
const blueprint = resolveBlueprint(lab, { rehearsal: false });

describe('a compose file', () => {
  test.each(['mariadb', 'photos'])('of %s is as its golden file', async (name) => {
    await expect(formatComposeFile(blueprint, name)).toMatchFileSnapshot(`testdata/compose-${name}.yaml`);
  });

  test('names secrets and has none, and keeps a "$" that is meant', () => {
    const document = parse(formatComposeFile(blueprint, 'mariadb')) as {
      services: { mariadb: { environment: unknown } };
    };
    expect(document.services.mariadb.environment).toEqual({
      MARIADB_DATABASE: 'gitea',
      MARIADB_USER: 'gitea',
      MARIADB_PASSWORD: '${MARIADB_PASSWORD:?write it into .env}',
      MARIADB_ROOT_PASSWORD: '${MARIADB_ROOT_PASSWORD:?write it into .env}',
      MARIADB_MOTTO: 'costs $$5',
    });
  });

  test.each([
    ['mariadbb', 'labwright services compose mariadb'],
    ['nothing-like-it', 'name one of mariadb, photos, printer'],
    ['printer', 'write services.printer.nas and image'],
  ])('of %s is refused with the way out', (name, fix) => {
    expect(() => formatComposeFile(blueprint, name)).toThrow(
      expect.objectContaining({ code: 'LW0002', fix: [expect.stringContaining(fix)] }),
    );
  });
});

describe('services outside the cluster', () => {
  const [mariadb, , printer] = blueprint.services;
  if (mariadb === undefined || printer === undefined) throw new Error('the lab has three services');

  test('are noted when they are not well, with their compose file', () => {
    const facts = [
      { service: mariadb, answer: { kind: 'unreachable', why: 'connect ECONNREFUSED' } },
      { service: printer, answer: { kind: 'well' } },
    ] as const;
    expect(outsideServiceNotes(facts)).toEqual([
      'mariadb does not answer at 10.1.0.20:3306 (connect ECONNREFUSED); its compose file: labwright services compose mariadb',
    ]);
    expect(formatOutsideService({ service: mariadb, answer: { kind: 'well', what: '11.8.3-MariaDB' } })).toBe(
      'mariadb answers at 10.1.0.20:3306: 11.8.3-MariaDB',
    );
  });

  test('have names under the domain', () => {
    expect(outsideServiceRecords(blueprint.services)[0]).toEqual({ name: 'mariadb.home.arpa', address: '10.1.0.20' });
  });
});
