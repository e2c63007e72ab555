// For tests: a router's configuration with a person's entries in it, and what is left of it without ours.
import { readFile } from 'node:fs/promises';
import { hostName, labId } from '@labwright/core/addresses/names';
import { parseValue } from './config/config-value.ts';
import { type Mark, type Owner, isOwnedBy } from './config/mark.ts';
import { type Place, markOf, places, leasesOf, poolsOf } from './config/place.ts';
import { type XmlElement, formatNode, isElement } from './config/xml-tree.ts';

export const sampleConfig = await readFile(new URL('testdata/config.xml', import.meta.url), 'utf8');

export const owner: Owner = { lab: labId('home'), cluster: hostName('main') };
export const otherOwner: Owner = { lab: labId('home'), cluster: hostName('second') };
export const markFor = (key: string, of: Owner = owner): Mark => ({ ...of, key });

export const everyPlace: readonly Place[] = [...Object.values(places), leasesOf('lan'), poolsOf('lan')];

/**
 * All that is not an owner's, in its order: sections and entries as their exact text. A container on the way to a place is
 * told by its name alone, because what is in it is told one by one.
 */
export function residueOf(element: XmlElement, of: Owner, path: readonly string[] = []): readonly string[] {
  const isAbove = everyPlace.some((place) => path.every((name, index) => place.path[index] === name));
  if (!isAbove) return [formatNode(element)];
  const inner = element.children.flatMap((child) => {
    if (!isElement(child)) return child.source.trim() === '' ? [] : [child.source];
    const place = everyPlace.find((one) => one.path.join('/') === path.join('/') && one.tag === child.name);
    const mark = place === undefined ? undefined : markOf(place, parseValue(child));
    if (mark !== undefined && isOwnedBy(mark, of)) return [];
    return residueOf(child, of, [...path, child.name]);
  });
  // A container that we may make may come and stay.
  return inner.length === 0 && isOursToMake(path) ? [] : [`<${element.name}>`, ...inner];
}

function isOursToMake(path: readonly string[]): boolean {
  return everyPlace.some(
    (place) =>
      path.length > place.path.length - place.mayMake && path.every((name, index) => place.path[index] === name),
  );
}
