#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What goes in is what is in the image: directory, tars, .deb, layers and [Files], compared name by name through libguestfs, whose
# kernel mounts the image and whose tar reads it. Layers are compared with a real overlayfs.
# Takes: 110 s
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires e2fsck e2fsprogs
[ "$(id -u)" -eq 0 ] || skip "owners, devices and attributes need root"

trees=$PWD/tests/integration/trees.py
cache_of_user=${XDG_CACHE_HOME:-$HOME/.cache}
export XDG_CACHE_HOME=$tmp/cache EPOCH=1600000000
synthetic_inputs "$tmp/in"
export MKAPPLIANCE_INIT=$tmp/in/init

if ! python3 "$trees" make "$tmp/base" 2>"$tmp/log"; then
	skip "the file system of $tmp does not hold all that is to be tested: $(tail -n 1 "$tmp/log")"
fi
python3 "$trees" directory "$tmp/base" >"$tmp/base.list"

# build NAME SED-SCRIPT...: the image NAME of the template as these change it.
build() {
	local name=$1 script=() s
	shift
	for s; do script+=(-e "$s"); done
	sed -e '/^\[Files\]/,/^$/d' "${script[@]}" "$tmp/in/appliance.conf" >"$tmp/in/$name.conf" &&
		"$mkappliance" build "$tmp/in/$name.conf" -o "$tmp/$name" --quiet
}
image_of() { echo "$tmp/$1/synthetic-1.0.raw"; }
root_hash_of() { json_get "$tmp/$1/synthetic-1.0.manifest.json" verity.root_hash; }

# ---- every kind of source ----

check "directory" build directory "s|^Path=.*|Path=$tmp/base|" || exit

# In the order of a directory listing: links may come before what tar calls their file.
tar -C "$tmp/base" --xattrs --xattrs-include='*' --format=pax --numeric-owner -cf "$tmp/base.tar" .
# as_tar NAME TAR LIKE: gives the same root as the image LIKE. That one tar has zeros where the other has holes is a difference.
as_tar() {
	build "$1" 's/^Source=.*/Source=tar/' "s|^Path=.*|Path=$tmp/$2|" && [ "$(root_hash_of "$1")" = "$(root_hash_of "$3")" ]
}
check "tar" as_tar tar base.tar tar
tar -C "$tmp/base" --xattrs --xattrs-include='*' --format=pax --numeric-owner --sparse -cf "$tmp/sparse.tar" .
check "tar with sparse files: the same root as the directory" as_tar sparse sparse.tar directory
for by in gzip:gz zstd:zst xz:xz bzip2:bz2; do
	if command -v "${by%:*}" >/dev/null; then
		"${by%:*}" -1 <"$tmp/base.tar" >"$tmp/base.tar.${by#*:}"
		check "tar.${by#*:}: the same root as the tar" as_tar "${by#*:}" "base.tar.${by#*:}" tar
	else
		check_skip "tar.${by#*:}" "${by%:*} is not installed"
	fi
done
# Over an empty base; the root directory itself is the base's.
mkdir "$tmp/nothing"
touch -d "@$EPOCH" "$tmp/nothing"
check "directory as a package" build package "s|^Path=.*|Path=$tmp/nothing|" "1s|^|[Package]\nPath=$tmp/base\n\n|"

deb() {
	mkdir -p "$tmp/deb/DEBIAN" "$tmp/deb/usr/lib/test" "$tmp/deb/bin" &&
		printf 'Package: test\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: t\n' >"$tmp/deb/DEBIAN/control" &&
		echo from-a-deb >"$tmp/deb/usr/lib/test/file" &&
		echo through-a-link >"$tmp/deb/bin/linked" && chown 0:1000 "$tmp/deb/bin/linked" && chmod 4750 "$tmp/deb/bin/linked" &&
		dpkg-deb -Znone --build "$tmp/deb" "$tmp/test.deb" >/dev/null && dpkg-deb -Zxz --build "$tmp/deb" "$tmp/test-xz.deb" >/dev/null &&
		build deb "s|^Path=.*|Path=$tmp/base|" "1s|^|[Package]\nPath=$tmp/test.deb\n\n|" &&
		build deb-xz "s|^Path=.*|Path=$tmp/base|" "1s|^|[Package]\nPath=$tmp/test-xz.deb\n\n|" &&
		[ "$(root_hash_of deb)" = "$(root_hash_of deb-xz)" ]
}
if command -v dpkg-deb >/dev/null; then
	check ".deb, uncompressed and with xz" deb
else
	check_skip ".deb, uncompressed and with xz" "dpkg-deb is not installed"
fi

# ---- layers ----

# shellcheck disable=SC2016 # for the inner shell
overlay() {
	python3 "$trees" upper "$tmp/upper" && mkdir -p "$tmp/overlay/"{upper,work,merged} && cp -a "$tmp/upper/." "$tmp/overlay/upper/" &&
		unshare -m bash -euc '
			mount -t overlay -o "lowerdir=$1/base,upperdir=$1/overlay/upper,workdir=$1/overlay/work" overlay "$1/overlay/merged"
			python3 "$2" directory "$1/overlay/merged"
		' - "$tmp" "$trees" >"$tmp/overlay.list"
}
layered=
if overlay 2>"$tmp/log"; then
	check "layer" build layer "s|^Path=.*|Path=$tmp/base|" "1s|^|[Package]\nPath=$tmp/upper\n\n|" && layered=1
	# The whiteouts of OCI, which need no devices.
	cp -a "$tmp/upper" "$tmp/oci"
	find "$tmp/oci" -type c | while read -r f; do
		rm "$f" && touch -d @0 "$(dirname "$f")/.wh.$(basename "$f")"
	done
	setfattr -x trusted.overlay.opaque "$tmp/oci/srv/names" 2>/dev/null || python3 -c 'import os, sys
os.removexattr(sys.argv[1], "trusted.overlay.opaque")' "$tmp/oci/srv/names"
	touch "$tmp/oci/srv/names/.wh..wh..opq"
	(cd "$tmp/upper" && find . -type d) | while read -r d; do touch -r "$tmp/upper/$d" "$tmp/oci/$d"; done
	tar -C "$tmp/oci" --xattrs --format=pax --numeric-owner -cf "$tmp/oci.tar" .
	check "layer with whiteouts of OCI" build oci "s|^Path=.*|Path=$tmp/base|" "1s|^|[Package]\nPath=$tmp/oci.tar\n\n|"
	same_layers() { [ "$(root_hash_of layer)" = "$(root_hash_of oci)" ]; }
	check "both give the same root" same_layers
else
	check_skip "layers: 4 checks" "no overlayfs here: $(tail -n 1 "$tmp/log")"
fi

# ---- [Files] ----

mkdir -p "$tmp/copied/sub"
printf 'a\n' >"$tmp/copied/a"
printf 'b\n' >"$tmp/copied/sub/b"
chmod 600 "$tmp/copied/a"
chmod 755 "$tmp/copied" "$tmp/copied/sub"
chmod 755 "$tmp/copied/sub/b"
chown 12:13 "$tmp/copied/a"
files() {
	build files "s|^Path=.*|Path=$tmp/base|" "1s|^|[Files]\nCopy=page:/srv/page mode=4640 owner=app group=app\nCopy=page:/etc/hosts\n\
Copy=$tmp/copied:/srv/copied owner=7\nCopy=page:/bin/through mode=0755\nCopy=page:/made/on/the/way\n\n|"
}
check "[Files]" files

# ---- e2fsck and debugfs ----

for name in directory files deb layer; do
	[ -e "$(image_of $name)" ] || continue
	dd if="$(image_of $name)" of="$tmp/root" bs=1M conv=sparse iflag=skip_bytes,count_bytes status=none \
		skip="$(json_get "$tmp/$name/synthetic-1.0.manifest.json" disk.partitions.1.offset)" \
		count="$(json_get "$tmp/$name/synthetic-1.0.manifest.json" disk.partitions.1.used)"
	check "e2fsck -fn: $name" e2fsck -fn "$tmp/root"
done
debugfs_reads() {
	local mode
	mode=$(debugfs -R "stat /srv/page" "$tmp/files-root" 2>/dev/null | tr '\n' ' ') &&
		[[ $mode == *"Mode:  04640"*"User:  1000   Group:  1000"* ]] &&
		debugfs -R "cat /srv/page" "$tmp/files-root" 2>/dev/null | cmp - "$tmp/in/page"
}
dd if="$(image_of files)" of="$tmp/files-root" bs=1M conv=sparse iflag=skip_bytes,count_bytes status=none \
	skip="$(json_get "$tmp/files/synthetic-1.0.manifest.json" disk.partitions.1.offset)" \
	count="$(json_get "$tmp/files/synthetic-1.0.manifest.json" disk.partitions.1.used)"
check "debugfs: a file of [Files]" debugfs_reads

# ---- libguestfs ----

command -v guestfish >/dev/null || {
	check_skip "through libguestfs: 9 checks" "guestfish is not installed (apt-get install guestfish)"
	exit
}

# The image of templates/nginx, of the base that lies in the cache which all tests share.
nginx() {
	env -u MKAPPLIANCE_INIT XDG_CACHE_HOME="$cache_of_user" "$mkappliance" build templates/nginx -o "$tmp/nginx" --quiet
}
have_nginx=
if nginx 2>"$tmp/log"; then have_nginx=1; fi

export LIBGUESTFS_BACKEND=direct LIBGUESTFS_CACHEDIR=/var/tmp
grep -qwE 'vmx|svm' /proc/cpuinfo || export LIBGUESTFS_BACKEND_SETTINGS=force_tcg

# One launch for all: each root as a tar, made by a tar and a kernel that are not ours.
disks=() commands=run number=0
for name in directory tar package files deb layer nginx; do
	image=$(image_of $name)
	[ $name != nginx ] || image=$(echo "$tmp"/nginx/*.raw)
	[ -e "$image" ] || continue
	disks+=(-a "$image")
	device=/dev/sd$(printf '%b' "\\x$((61 + number))")2
	commands+=$'\n'"mount-ro $device /"$'\n'"tar-out / $tmp/$name.seen.tar xattrs:true numericowner:true"$'\n'"umount /"
	number=$((number + 1))
done
through_libguestfs() {
	guestfish --ro --format=raw "${disks[@]}" <<<"$commands"
}
check "libguestfs mounts them all" through_libguestfs || exit

# list NAME: what libguestfs saw. lost+found is of the file system, not of the tree.
list() {
	python3 "$trees" tar "$tmp/$1.seen.tar" | grep -v "^b'lost+found' directory 0700 0:0 "
}
same_as_source() {
	list "$1" >"$tmp/seen.list" && diff "$tmp/base.list" "$tmp/seen.list"
}
for name in directory tar package; do
	check "$name: $(wc -l <"$tmp/base.list") names as in the source" same_as_source $name
done
same_as_overlay() {
	list layer >"$tmp/seen.list" && diff "$tmp/overlay.list" "$tmp/seen.list"
}
[ -z "$layered" ] || check "layer: $(wc -l <"$tmp/overlay.list") names as overlayfs has them" same_as_overlay

# changes NAME: lines that the image has and the base has not ("> "), and the other way round, without time and checksum.
changes() {
	diff "$tmp/base.list" <(list "$1") | sed -nE "s/^([<>] .*) @[0-9]+ ?([0-9]*)( [0-9a-f]{64})?/\1 \2/p" | sed 's/ *$//'
}
files_as_told() {
	diff <(changes files) - <<-'END'
		< b'etc/hosts' file 0644 0:0 5
		> b'etc/hosts' file 0644 0:0 7
		> b'made' directory 0755 0:0
		> b'made/on' directory 0755 0:0
		> b'made/on/the' directory 0755 0:0
		> b'made/on/the/way' file 0644 0:0 7
		> b'srv/copied' directory 0755 7:0
		> b'srv/copied/a' file 0600 7:0 2
		> b'srv/copied/sub' directory 0755 7:0
		> b'srv/copied/sub/b' file 0755 7:0 2
		> b'srv/page' file 4640 1000:1000 7
		> b'usr/bin/through' file 0755 0:0 7
	END
}
check "[Files]: modes and owners as told, and nothing else changed" files_as_told
deb_as_told() {
	diff <(changes deb) - <<-'END'
		> b'usr/bin/linked' file 4750 0:1000 15
		> b'usr/lib' directory 0755 0:0
		> b'usr/lib/test' directory 0755 0:0
		> b'usr/lib/test/file' file 0644 0:0 11
	END
}
[ ! -e "$tmp/deb.seen.tar" ] || check ".deb: its files, through the base's links, and nothing else changed" deb_as_told

# Everything that the package manager gave, and nothing that it did not give but what the template and the init need.
nginx_as_fetched() {
	local base
	base=$(python3 - "$cache_of_user/mkappliance/layers" "$tmp"/nginx/*.manifest.json <<-'PY'
		import glob, json, sys
		want = next(i["sha256"] for i in json.load(open(sys.argv[2]))["inputs"] if i["kind"] == "base")
		for path in glob.glob(sys.argv[1] + "/*.json"):
		    if json.load(open(path))["sha256"] == want:
		        print(path[:-5] + ".tar")
		        break
	PY
	) && EPOCH=1 python3 "$trees" tar "$base" >"$tmp/fetched.list" && EPOCH=1 python3 "$trees" tar "$tmp/nginx.seen.tar" >"$tmp/seen.list" &&
		cmp templates/nginx/nginx.conf <(tar -xOf "$tmp/nginx.seen.tar" ./etc/nginx/nginx.conf) &&
		cmp templates/nginx/index.html <(tar -xOf "$tmp/nginx.seen.tar" ./srv/www/index.html) &&
		diff <(sed 's/ *$//' "$tmp/fetched.list") <(sed 's/ *$//' "$tmp/seen.list") | grep '^[<>]' |
		grep -vE "^> b'(etc/hostname|etc/hosts|etc/resolv.conf|srv/www(/index.html)?|lost.found|(usr/)?lib/modules(/.*)?)'" |
			grep -vE "^[<>] b'etc/nginx/nginx.conf'" >"$tmp/differences"
	cat "$tmp/differences"
	[ ! -s "$tmp/differences" ] && [ "$(wc -l <"$tmp/seen.list")" -gt 5000 ]
}
if [ -n "$have_nginx" ]; then
	check "templates/nginx: every file as the package manager gave it" nginx_as_fetched
else
	check_skip "templates/nginx: every file as the package manager gave it" "it cannot be built here: $(tail -n 1 "$tmp/log")"
fi

# ---- mkappliance inspect ----

inspects() {
	"$mkappliance" inspect "$(image_of directory)" --files --checksums --json --quiet >"$tmp/inspect.json" || return
	python3 - "$tmp/inspect.json" "$tmp/base.list" <<-'PY'
		import ast, json, sys
		seen = {f["path"]: f for f in json.load(open(sys.argv[1]))["files"]}
		kinds = {"file": 0o100000, "directory": 0o040000, "link": 0o120000, "fifo": 0o010000, "char": 0o020000, "block": 0o060000}
		count = 0
		for text in open(sys.argv[2]):
		    at = text.rindex("' " if text[1] == "'" else '" ', 0, text.index(" @")) + 1
		    name, words = ast.literal_eval(text[:at]), text[at:].split()
		    if not name:
		        continue
		    try:
		        path = "/" + name.decode()
		    except UnicodeDecodeError:
		        continue  # JSON has no way to say it
		    f = seen.pop(path)
		    assert int(f["mode"], 8) == kinds[words[0]] | int(words[1], 8), (f, text)
		    assert f"{f['uid']}:{f['gid']}" == words[2], (f, text)
		    if words[0] == "file":
		        assert f["size"] == int(words[4]), (f, text)
		        assert f["sha256"] == words[5], (f, text)
		    count += 1
		assert count > 3000, count
		assert all(path == "/lost+found" or "\ufffd" in path for path in seen), list(seen)
	PY
}
if "$mkappliance" inspect --help >/dev/null 2>&1; then
	check "mkappliance inspect says the same" inspects
else
	check_skip "mkappliance inspect says the same" "built without libguestfs"
fi
