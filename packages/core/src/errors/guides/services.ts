// What went wrong with services and the NAS, at length: what it means and what to do.
import type { ErrorGuide } from '../guide.ts';
import type { ErrorCode } from '../table.ts';

export const servicesGuide: Readonly<Record<Extract<ErrorCode, `LW7${string}`>, ErrorGuide>> = {
  LW7001: {
    meaning:
      'Charts are installed by the helm program, and each version of it serves four minor versions of Kubernetes. None that serves this cluster is installed here, in the mirror, or could be downloaded.',
    advice: [
      'Install the version that the message names, so that `helm version` answers.',
      'Without Internet: put its archive and the `.sha256sum` beside it into a folder and name that at `kubernetes.helmMirror`.',
    ],
  },
  LW7002: {
    meaning:
      'The package of a chart is neither in the cache nor could it be fetched from its repository. Nothing was changed in the cluster for it.',
    advice: [
      'Try the repository from this computer; the message has its address and what helm said.',
      'Without Internet: put the packages into a folder and name it at `kubernetes.chartMirror`.',
      'A chart that is not needed is switched off by `kubernetes.charts.NAME: false`.',
    ],
  },
  LW7003: {
    meaning:
      'Helm could not bring a release to what the lab file says. An upgrade that failed was rolled back to the version before it, an installation that failed was taken out again; what serves now serves as before.',
    advice: [
      'Read helm’s own words and what the pods waited for; both are below the message.',
      'Most often an image cannot be pulled, a value has the wrong form, or the cluster has too little memory.',
      'Correct it in the lab file; `labwright up` does only what is left.',
    ],
  },
  LW7004: {
    meaning:
      'A release or a Secret that the lab file wants exists in the cluster, and Labwright did not make it. It is never changed or removed.',
    advice: [
      'Keep it, and switch ours off in the lab file or give it another name.',
      'Or remove it yourself (`helm uninstall`, `kubectl delete secret`), and run `labwright up` again.',
    ],
  },
  LW7005: {
    meaning:
      'No version of the chart that Labwright was tested with serves the version of Kubernetes in the lab file. Nothing was changed.',
    advice: [
      'State a version of the chart that does: `kubernetes.charts.NAME: {version: …}`.',
      'Or switch the chart off: `kubernetes.charts.NAME: false`.',
    ],
  },
  LW7006: {
    meaning:
      'A machine of the lab tried to mount a folder of the NAS by NFS, and could not, or could not write to it. Labwright changes nothing on the NAS for that; the message has the steps for its kind.',
    advice: [
      'The rule on the NAS must allow the whole network of the machines, with writing and without mapping root to a guest.',
      'NFS 4.1 must be switched on: on DSM it is not by default.',
    ],
  },
  LW7007: {
    meaning:
      'The file with our exports on a Linux NAS could not be written, or the NFS server did not take it. What was there before is there again; no other file is ever touched.',
    advice: [
      'Check that the user of `nas.NAME.ssh` may write to /etc/exports.d and run exportfs, directly or by sudo without a password.',
      'Make the exported folders first: Labwright exports folders, and does not make them.',
    ],
  },
};
