// Users and their tokens.
import { parameterError, refusal } from '../error.ts';
import { namedFormats } from '../property-formats.ts';
import { anyUser, flag, type Call, type Route } from '../route.ts';
import type { Parameter } from '../schema-check.ts';

const userid: Parameter = { type: 'string', maxLength: 64, check: namedFormats.userId };
const tokenid: Parameter = { type: 'string', pattern: /^[A-Za-z][A-Za-z0-9.\-_]+$/ };
const comment: Parameter = { type: 'string', optional: true };
const expire: Parameter = { type: 'integer', optional: true, minimum: 0 };

function requireSelfOrModify({ caller, parameters }: Call): void {
  if (caller.user !== parameters['userid']) caller.privileges.require('/access/groups', ['User.Modify']);
}

async function createToken(call: Call): Promise<unknown> {
  requireSelfOrModify(call);
  const { context, parameters } = call;
  const fullId = `${parameters['userid']}!${parameters['tokenid']}`;
  const privilegeSeparation = parameters['privsep'] !== '0';
  await context.access.changeUsers((users) => {
    if (users.users[parameters['userid'] ?? ''] === undefined)
      throw refusal(`no such user ('${parameters['userid']}')`);
    if (users.tokens[fullId] !== undefined) throw parameterError({ tokenid: 'Token already exists.' });
    users.tokens[fullId] = {
      expire: Number(parameters['expire'] ?? 0),
      privilegeSeparation,
      comment: parameters['comment'] ?? '',
    };
  });
  const value = await context.access.createTokenSecret(fullId);
  const info = {
    privsep: privilegeSeparation ? 1 : 0,
    ...(parameters['comment'] === undefined ? {} : { comment: parameters['comment'] }),
  };
  return { 'full-tokenid': fullId, info, value };
}

export const userRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/access/users',
    parameters: { enabled: flag, full: flag },
    permission: anyUser,
    returns: 'array',
    isProtected: true,
    answer: async ({ context, caller }) => {
      const users = await context.access.readUsers();
      const seesAll =
        caller.privileges.has('/access/groups', 'Sys.Audit') || caller.privileges.has('/access/groups', 'User.Modify');
      return Object.entries(users.users)
        .filter(([id]) => seesAll || id === caller.user)
        .map(([id, user]) => ({
          userid: id,
          enable: user.enabled ? 1 : 0,
          expire: user.expire,
          'realm-type': id.split('@')[1] ?? '',
        }));
    },
  },
  {
    method: 'GET',
    path: '/access/users/{userid}/token',
    parameters: { userid },
    permission: anyUser,
    returns: 'array',
    answer: async (call) => {
      requireSelfOrModify(call);
      const users = await call.context.access.readUsers();
      return Object.entries(users.tokens)
        .filter(([id]) => id.startsWith(`${call.parameters['userid']}!`))
        .map(([id, token]) => ({
          tokenid: id.split('!')[1],
          privsep: token.privilegeSeparation ? 1 : 0,
          expire: token.expire,
          comment: token.comment,
        }));
    },
  },
  {
    method: 'POST',
    path: '/access/users/{userid}/token/{tokenid}',
    parameters: { userid, tokenid, comment, expire, privsep: flag },
    permission: anyUser,
    returns: 'object',
    isProtected: true,
    answer: createToken,
  },
  {
    method: 'DELETE',
    path: '/access/users/{userid}/token/{tokenid}',
    parameters: { userid, tokenid },
    permission: anyUser,
    returns: 'null',
    isProtected: true,
    answer: async (call) => {
      requireSelfOrModify(call);
      const fullId = `${call.parameters['userid']}!${call.parameters['tokenid']}`;
      await call.context.access.changeUsers((users) => {
        if (users.tokens[fullId] === undefined)
          throw refusal(`no such token '${call.parameters['tokenid']}' for user '${call.parameters['userid']}'`);
        delete users.tokens[fullId];
        users.rules = users.rules.filter((rule) => rule.subject !== fullId);
      });
      await call.context.access.forgetSecret(fullId);
      return null;
    },
  },
];
