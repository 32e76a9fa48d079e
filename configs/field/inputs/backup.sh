#!/bin/sh
# Copies last night's measurements to the valley and keeps fourteen days of them.
set -eu

from=${1:-/var/station/measurements}
to=${2:-valley:/archive/station}
keep_days=14
stamp=$(date +%Y-%m-%d)

if [ ! -d "$from" ]; then
  echo "backup: $from is not there" >&2
  exit 1
fi

for file in "$from"/*.csv; do
  [ -e "$file" ] || continue
  gzip -9 -c "$file" > "$file.$stamp.gz"
done

rsync --archive --partial "$from"/*."$stamp".gz "$to"/ || {
  echo "backup: the valley does not answer, trying again tomorrow" >&2
  exit 2
}

find "$from" -name '*.gz' -mtime +"$keep_days" -exec rm -f {} +
echo "backup: $stamp done"
