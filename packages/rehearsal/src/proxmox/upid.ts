// The name of a task:  UPID:node:PID:PSTART:START:type:id:user:   with the three numbers in hexadecimal.

export interface Upid {
  readonly node: string;
  readonly pid: number;
  readonly processStart: number;
  /** Seconds since 1970. */
  readonly startTime: number;
  readonly type: string;
  readonly id: string;
  /** user@realm, with !token when a token asked for it. */
  readonly user: string;
}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');

export function formatUpid(upid: Upid): string {
  const numbers = [upid.pid, upid.processStart, upid.startTime].map(hex).join(':');
  return `UPID:${upid.node}:${numbers}:${upid.type}:${upid.id}:${upid.user}:`;
}

const pattern =
  /^UPID:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s/]+):([^:\s/]*):([^:\s/]+):$/;

export function parseUpid(text: string): Upid | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, node = '', pid = '', processStart = '', startTime = '', type = '', id = '', user = ''] = match;
  return {
    node,
    pid: Number.parseInt(pid, 16),
    processStart: Number.parseInt(processStart, 16),
    startTime: Number.parseInt(startTime, 16),
    type,
    id,
    user,
  };
}
