import { expect, test } from 'vitest';
import { formatSources } from './apt-sources.ts';

test('sources of the suite with its updates and security come from what apt says, without duplicates', () => {
  const targets = [
    'http://mirror.example/debian/ bookworm main',
    'http://mirror.example/debian/ bookworm main',
    'http://mirror.example/debian/ bookworm contrib',
    'http://mirror.example/debian/ bookworm-updates main',
    'http://mirror.example/debian-security/ bookworm-security main',
    'http://mirror.example/debian/ trixie main',
    'http://elsewhere.example/ stable main',
    '',
  ].join('\n');
  expect(formatSources(targets, 'bookworm')).toEqual([
    'deb http://mirror.example/debian/ bookworm main',
    'deb http://mirror.example/debian/ bookworm-updates main',
    'deb http://mirror.example/debian-security/ bookworm-security main',
  ]);
  expect(formatSources(targets, 'trixie')).toEqual(['deb http://mirror.example/debian/ trixie main']);
});

test('a suite that apt does not know is asked of the mirror of one that it knows', () => {
  const targets = [
    'http://mirror.example/debian/ bookworm main',
    'http://mirror.example/debian-security/ bookworm-security main',
    'http://elsewhere.example/ stable main',
  ].join('\n');
  expect(formatSources(targets, 'trixie')).toEqual([
    'deb http://mirror.example/debian/ trixie main',
    'deb http://mirror.example/debian-security/ trixie-security main',
  ]);
  expect(formatSources('http://elsewhere.example/ stable main', 'trixie')).toEqual([]);
});
