#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=oci when the disk of the cache is full, and when a build is killed while it unpacks a layer: nothing that looks whole is left, and
# the next build gives what an undisturbed one gives.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires umoci
[ "$(id -u)" -eq 0 ] || skip "owners need root"
synthetic_inputs "$tmp/in"
export MKAPPLIANCE_INIT=$tmp/in/init

# A layer that takes a while, and one that nobody has to wait for.
material() {
	mkdir -p "$tmp/root/usr/bin" "$tmp/root/srv" && cp "$tmp/in/base/usr/bin/application" "$tmp/root/usr/bin/" && head -c 160M /dev/urandom >"$tmp/root/srv/large" &&
		tar -C "$tmp/root" --numeric-owner -cf "$tmp/layer.tar" . && umoci init --layout "$tmp/layout" && umoci new --image "$tmp/layout:test" &&
		umoci raw add-layer --image "$tmp/layout:test" "$tmp/layer.tar" && umoci config --image "$tmp/layout:test" --config.entrypoint /usr/bin/application &&
		rm -rf "$tmp/root" "$tmp/layer.tar"
}
check "an image with a large layer" material || exit
sed -e '/^\[Files\]/,/^$/d' -e '/^\[Init\]/,$d' -e 's/^Source=.*/Source=oci/' -e "s|^Path=.*|Image=$tmp/layout:test|" "$tmp/in/appliance.conf" >"$tmp/in/oci.conf"
build() { "$mkappliance" build "$tmp/in/oci.conf" -o "$tmp/out-$1" --cache="$tmp/cache-$1" --quiet; }
root_hash() { json_get "$tmp/out-$1/synthetic-1.0.manifest.json" verity.root_hash; }
check "it is built" build good || exit

# What is not whole may not look as if it were.
nothing_whole() { # CACHE
	find "$1" -type f ! -name '*.lock' ! -path '*/layers/.*' -size +0
	[ -z "$(find "$1" -name '*.json')" ]
}
full() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -uc 'mkdir -p "$1/cache-full" && mount -t tmpfs -o size=48M none "$1/cache-full" || exit 77
		"$2" build "$1/in/oci.conf" -o "$1/out-full" --cache="$1/cache-full" --quiet 2>"$1/log"
		[ $? -eq 1 ] && [ -z "$(find "$1/cache-full" -type f -size +0)" ]' - "$tmp" "$mkappliance" || {
		cat "$tmp/log"
		return 1
	}
	cat "$tmp/log"
	[ "$(wc -l <"$tmp/log")" -eq 1 ] && grep -qi 'no space\|disk is full' "$tmp/log" && [ ! -e "$tmp/out-full/synthetic-1.0.raw" ]
}
if unshare -m mount -t tmpfs none /mnt 2>/dev/null; then
	check "the disk of the cache is full: one line says so, nothing is left" full
else
	check_skip "the disk of the cache is full" "mount is not allowed here"
fi

# in_the_layer PID: waits until it has written a part of the layer, whose file has no name before it is whole.
in_the_layer() {
	local written=0 deadline=$((SECONDS + 60))
	while [ "$written" -lt 30000000 ] && [ $SECONDS -lt $deadline ]; do
		written=$(awk '/^wchar:/ { print $2 }' "/proc/$1/io" 2>/dev/null || echo 30000000)
	done
}
killed() {
	local pid
	"$mkappliance" build "$tmp/in/oci.conf" -o "$tmp/out-killed" --cache="$tmp/cache-killed" --quiet &
	pid=$!
	in_the_layer $pid
	kill -9 $pid 2>/dev/null || {
		echo "it had ended before it could be killed"
		return 1
	}
	wait $pid 2>/dev/null
	nothing_whole "$tmp/cache-killed" && [ ! -e "$tmp/out-killed/synthetic-1.0.raw" ] && ! pgrep -f "$tmp/cache-killed"
}
check "killed while a layer is unpacked: nothing looks whole, no process is left" killed
next() {
	build killed && [ "$(root_hash killed)" = "$(root_hash good)" ] && diff <(cd "$tmp/cache-good" && find . -type f ! -name '*.lock' | sort) <(cd "$tmp/cache-killed" && find . -type f ! -name '*.lock' | sort)
}
check "the next build is as an undisturbed one, and so is its cache" next
interrupted() {
	local pid status=0
	"$mkappliance" build "$tmp/in/oci.conf" -o "$tmp/out-stopped" --cache="$tmp/cache-stopped" --quiet &
	pid=$!
	in_the_layer $pid
	kill -TERM $pid && wait $pid || status=$?
	[ $status -eq 143 ] && [ -z "$(find "$tmp/cache-stopped" -type f -size +0)" ]
}
check "interrupted: it ends and leaves nothing" interrupted
