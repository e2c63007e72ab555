// Who we are: an API token, or a ticket got with a password and renewed before it ends.
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import { Secret } from '@labwright/core/ports/secret';
import { z } from 'zod';
import { type ProxmoxCall, proxmoxCall, type Method } from './call.ts';

export type Credentials =
  /** id is "user@realm!name". */
  | { readonly kind: 'token'; readonly id: string; readonly secret: Secret }
  /** user is "user@realm". */
  | { readonly kind: 'ticket'; readonly user: string; readonly password: Secret };

/** In place of them for work that needs no Proxmox: whatever asks it all the same is refused with the reason why there are none. */
export interface NoCredentials {
  readonly kind: 'none';
  readonly why: LabwrightError;
}

export type Headers = Readonly<Record<string, string>>;

/** Sends the login; the only call that goes out without credentials. Throws LW2002 when it is refused. */
export type Login = (call: ProxmoxCall<TicketAnswer>, signal: AbortSignal) => Promise<TicketAnswer>;

export interface Session {
  /** The headers that authorise a call, after logging in or renewing where that is due. */
  authorize(method: Method, signal: AbortSignal): Promise<Headers>;
  /** Called on a 401. True: the ticket was given up and one more try with a fresh login makes sense. */
  giveUp(used: Headers): boolean;
}

const ticketAnswer = z.object({
  ticket: z.string(),
  CSRFPreventionToken: z.string(),
  NeedTFA: z.union([z.number(), z.string(), z.boolean()]).optional(),
});
export type TicketAnswer = z.infer<typeof ticketAnswer>;

export function loginCall(username: string, password: Secret): ProxmoxCall<TicketAnswer> {
  return proxmoxCall('POST', '/access/ticket', ticketAnswer, { parameters: { username, password }, repeat: 'safe' });
}

export function openSession(credentials: Credentials | NoCredentials, clock: Clock, login: Login): Session {
  if (credentials.kind === 'none') return { authorize: () => Promise.reject(credentials.why), giveUp: () => false };
  return credentials.kind === 'token' ? tokenSession(credentials) : ticketSession(credentials, clock, login);
}

function tokenSession({ id, secret }: Extract<Credentials, { kind: 'token' }>): Session {
  return {
    authorize: () => Promise.resolve({ authorization: `PVEAPIToken=${id}=${secret.reveal()}` }),
    giveUp: () => false,
  };
}

/** A ticket is valid for 2 h. */
const ticketLifeMs = 2 * 60 * 60 * 1000;
const renewAfterMs = 90 * 60 * 1000;

interface Ticket {
  readonly ticket: Secret;
  readonly csrf: string;
  readonly since: number;
}

function ticketSession(credentials: Extract<Credentials, { kind: 'ticket' }>, clock: Clock, login: Login): Session {
  let current: Ticket | undefined;
  let pending: Promise<Ticket> | undefined;

  const fetchTicket = async (signal: AbortSignal): Promise<Ticket> => {
    // A valid ticket renews itself when it is posted as the password.
    const valid = current !== undefined && clock.now() - current.since < ticketLifeMs;
    const password = valid && current !== undefined ? current.ticket : credentials.password;
    const answer = await login(loginCall(credentials.user, password), signal);
    if (isOn(answer.NeedTFA)) throw secondFactor(credentials.user);
    current = { ticket: new Secret(answer.ticket), csrf: answer.CSRFPreventionToken, since: clock.now() };
    return current;
  };

  const ensureTicket = async (signal: AbortSignal): Promise<Ticket> => {
    if (current !== undefined && clock.now() - current.since < renewAfterMs) return current;
    pending ??= fetchTicket(signal).finally(() => {
      pending = undefined;
    });
    return await pending;
  };

  return {
    async authorize(method, signal) {
      const { ticket, csrf } = await ensureTicket(signal);
      const cookie = { cookie: `PVEAuthCookie=${encodeURIComponent(ticket.reveal())}` };
      return method === 'GET' ? cookie : { ...cookie, csrfpreventiontoken: csrf };
    },
    giveUp(used) {
      // Another call may have renewed it meanwhile; only the ticket that was refused is thrown away.
      const refused =
        current !== undefined && used['cookie'] === `PVEAuthCookie=${encodeURIComponent(current.ticket.reveal())}`;
      if (refused) current = undefined;
      return true;
    },
  };
}

const isOn = (flag: unknown): boolean =>
  flag !== undefined && flag !== 0 && flag !== '0' && flag !== false && flag !== '';

function secondFactor(user: string): LabwrightError {
  return new LabwrightError('LW2002', {
    what: `Proxmox asks ${user} for a second factor, which Labwright cannot give`,
    why: 'the account has two-factor authentication',
    fix: [`make an API token instead: pveum user token add ${user} labwright --privsep 0`],
  });
}
