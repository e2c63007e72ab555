// One call from its login to its answer, in pveproxy's order: route, parameters in path and body, permission, the right node,
// verification, the code.
import { ApiError, parameterError, permissionError } from './error.ts';
import type { Caller, NodeContext } from './node-context.ts';
import { makePrivilegeCheck } from './permissions.ts';
import type { Call, Permission, Route } from './route.ts';
import { checkParameters, findParameter } from './schema-check.ts';
import { findRoute } from './router.ts';
import type { Credentials } from './access.ts';

export interface ApiRequest {
  readonly method: string;
  /** Below /api2/FORMAT. */
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly caller: Caller;
}

export type Dispatch =
  | { readonly kind: 'answer'; readonly data: unknown; readonly total: number | undefined }
  /** Another host answers this path. */
  | { readonly kind: 'elsewhere'; readonly node: string };

const openPaths = new Set(['GET /access/domains', 'GET /access/ticket', 'POST /access/ticket']);

/** Throws the 401 of the emulated version. */
export async function identify(
  context: NodeContext,
  method: string,
  path: string,
  credentials: Credentials,
): Promise<Caller> {
  const users = await context.access.readUsers();
  const { profile } = context.topology;
  if (openPaths.has(`${method} ${path}`))
    return { user: '', kind: 'anonymous', privileges: makePrivilegeCheck(users, profile, '') };
  const { user, kind } = await context.access.authenticate(method, credentials);
  return { user, kind, privileges: makePrivilegeCheck(users, profile, user) };
}

export async function dispatch(context: NodeContext, request: ApiRequest): Promise<Dispatch> {
  const { method, path, caller } = request;
  const found = findRoute(method, path, context.topology.profile);
  if (found === undefined) throw new ApiError(501, `Method '${method} ${path}' not implemented`);
  const { route, pathParameters } = found;
  for (const [name, value] of Object.entries(request.parameters)) {
    if (pathParameters[name] !== undefined && pathParameters[name] !== value)
      throw parameterError({ [name]: 'duplicate parameter (already defined in URI) with conflicting values!' });
  }
  const parameters = { ...request.parameters, ...pathParameters };
  if (route.isTicketOnly === true && caller.kind === 'token')
    throw permissionError(`URI '${path}' not available with API token, need proper ticket.\n`);
  checkPermission(caller, route.permission, parameters);

  const node = parameters['node'];
  if (route.isProxied === true && node !== undefined && node !== context.host.name && node !== 'localhost')
    return { kind: 'elsewhere', node };
  checkParameters(route.parameters, parameters, (name) => findParameter(route.parameters, name));
  let total: number | undefined;
  const call: Call = { context, caller, parameters, setTotal: (count) => (total = count) };
  const data = await answerInTime(context, route, path, call);
  return { kind: 'answer', data, total };
}

/** pveproxy awaits pvedaemon for thirty seconds; the work goes on after that, unseen. */
async function answerInTime(context: NodeContext, route: Route, path: string, call: Call): Promise<unknown> {
  const delay = context.faults.takeCallDelay(`${route.method} ${path}`);
  const answer = delay === 0 ? route.answer(call) : context.clock.wait(delay).then(() => route.answer(call));
  if (route.isProtected !== true) return answer;
  const over = new AbortController();
  const tooLate = context.clock.wait(30, over.signal).then(
    () => true as const,
    () => false as const,
  );
  try {
    return await Promise.race([
      answer,
      tooLate.then((isTooLate) => {
        if (isTooLate) throw new ApiError(596, 'Connection timed out');
        return answer;
      }),
    ]);
  } finally {
    over.abort();
  }
}

function checkPermission(caller: Caller, permission: Permission, parameters: Readonly<Record<string, string>>): void {
  if (permission.kind === 'world') return;
  if (caller.kind === 'anonymous') throw permissionError('user != null');
  if (permission.kind === 'user' || caller.user === 'root@pam') return;
  const path = permission.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => parameters[name] ?? '');
  if (permission.any === true) caller.privileges.requireAny(path, permission.privileges);
  else caller.privileges.require(path, permission.privileges);
}
