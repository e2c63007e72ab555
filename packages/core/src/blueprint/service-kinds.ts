// What Labwright knows of the kinds of services outside the cluster, where the lab file says no more than the kind.
import type { ServiceKind } from '../lab/service-schema.ts';

export interface ServiceKindDefaults {
  readonly image: string;
  readonly port: number;
  /** Where its container keeps its data. */
  readonly mount: string;
}

/** 'other' has none: its image and port stand in the lab file. Images are of the long-term releases of 2025. */
export const serviceKindDefaults: Readonly<Record<Exclude<ServiceKind, 'other'>, ServiceKindDefaults>> = {
  mariadb: { image: 'mariadb:11.8', port: 3306, mount: '/var/lib/mysql' },
  postgres: { image: 'postgres:17', port: 5432, mount: '/var/lib/postgresql/data' },
  redis: { image: 'redis:7.4', port: 6379, mount: '/data' },
};
