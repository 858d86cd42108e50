#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What guest and host do alike: everything between the two marks must be the same, byte for byte.
set -u
export LC_ALL=C TZ=UTC
[ -e /dev/null ] || mknod -m 666 /dev/null c 1 3
mkdir -p /tmp/work && cd /tmp/work || exit 1
sum() { # name: digest of standard input
	echo "$1 $(sha256sum | cut -d' ' -f1)"
}
echo "== results begin"
seq 1 300000 | sum seq
mawk 'BEGIN { for (i = 0; i < 60000; i++) { x = (x * 1103515245 + 12345) % 2147483648; printf "%d %s%c\n", x, i % 977, 97 + x % 26 } }' >data
sum data <data
gzip -9 -n <data >data.gz && sum gzip <data.gz
gunzip <data.gz | cmp - data && echo "gunzip ok"
bzip2 -9 <data >data.bz2 && sum bzip2 <data.bz2
bunzip2 <data.bz2 | cmp - data && echo "bunzip2 ok"
sort <data | sum sort
sort -n -r -k1,1 <data | sum sort-n
sort -u -k2,2 <data | sum sort-u
md5sum <data
sha512sum <data
tac data | tr a-z A-Z | sed 's/\([0-9]*\) \(.*\)/\2:\1/' | sum text
tcc -o churn /programs/churn.c -lm -lpthread && sum tcc <churn
./churn
i=0
while [ $i -lt 150 ]; do
	i=$((i + 1))
	(exit $((i % 7))) || echo "$i: $(/bin/sh -c "expr $i \* 3; true" | tr '\n' ' ')$?"
done | sum fork-exec
od -An -tx1 -N2000 data | sum od
echo "== results end"
