# The frame of every job: its settings, its work, and its last line however it ends.
. ./settings.sh
umask 022
finish() {
  code=$?
  rm -rf files secret
  echo "labwright: ended $code"
  exit "$code"
}
trap finish EXIT
say() { echo "[labwright] $*"; }
. ./work.sh
