# Read from standard input behind state.sh: a member is none any more.
set -eu
if [ -e "$marks/member" ]; then
  echo join > "$marks/begun"
  sync "$marks/begun"
  rm -f "$marks/member"
  sync "$marks"
fi
