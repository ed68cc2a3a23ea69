#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Container images: made by umoci, skopeo and buildah in every form that they have, and the tree of one compared with what umoci unpacks.
# A registry on the loopback. What is wrong with an image is said, and nothing of it stays in the cache.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires umoci
requires skopeo
requires zstd
requires curl
[ "$(id -u)" -eq 0 ] || skip "owners, devices and attributes need root"

layouts=$PWD/tests/integration/oci_layouts.py
trees=$PWD/tests/integration/trees.py
user_cache=${XDG_CACHE_HOME:-$HOME/.cache}
export XDG_CACHE_HOME=$tmp/cache EPOCH=1600000000
synthetic_inputs "$tmp/in"
export MKAPPLIANCE_INIT=$tmp/in/init

# write_template NAME IMAGE [SED-SCRIPT]: with a kernel of no package.
write_template() {
	sed -e '/^\[Files\]/,/^$/d' -e '/^\[Init\]/,$d' -e 's/^Source=.*/Source=oci/' -e "s|^Path=.*|Image=$2|" -e "${3:-}" \
		"$tmp/in/appliance.conf" >"$tmp/in/$1.conf"
}
build() {
	write_template "$@" && "$mkappliance" build "$tmp/in/$1.conf" -o "$tmp/$1" --quiet
}
root_hash_of() { json_get "$tmp/$1/synthetic-1.0.manifest.json" verity.root_hash; }

# ---- one image in every form ----

# Two layers: all that a file system can hold, and one that removes, replaces and adds.
material() {
	mkdir "$tmp/one" && python3 "$trees" make "$tmp/one" && python3 "$trees" upper "$tmp/two" && python3 "$layouts" whiteouts "$tmp/two" &&
		for n in one two; do
			tar -C "$tmp/$n" --sort=name --xattrs --xattrs-include='*' --format=pax --numeric-owner -cf "$tmp/$n.tar" . || return
		done &&
		umoci init --layout "$tmp/layout" && umoci new --image "$tmp/layout:test" &&
		umoci raw add-layer --image "$tmp/layout:test" "$tmp/one.tar" && umoci raw add-layer --image "$tmp/layout:test" "$tmp/two.tar" &&
		umoci config --image "$tmp/layout:test" --config.entrypoint application --config.cmd --flag --config.user app \
			--config.env PATH=/usr/bin --config.exposedports 80/tcp --config.label org.opencontainers.image.version=1.2 &&
		umoci gc --layout "$tmp/layout"
}
material >"$tmp/log" 2>&1 || skip "the file system of $tmp does not hold all that is to be tested: $(tail -n 1 "$tmp/log")"

check "layout by umoci" build umoci "$tmp/layout" || exit
expected=$(root_hash_of umoci)
# same NAME IMAGE [SED-SCRIPT]: gives the same root.
same() {
	build "$@" && [ "$(root_hash_of "$1")" = "$expected" ]
}
copy() { skopeo --insecure-policy copy --quiet "$@"; }
as_archive() { copy "oci:$tmp/layout:test" "oci-archive:$tmp/image.tar:test" && same archive "$tmp/image.tar"; }
as_docker() { copy "oci:$tmp/layout:test" "docker-archive:$tmp/docker.tar:example.org/test:1.0" && same docker "$tmp/docker.tar:example.org/test:1.0"; }
as_docker_gzip() { gzip -1 -k "$tmp/docker.tar" && same docker-gzip "$tmp/docker.tar.gz"; }
as_nameless() { python3 "$layouts" nameless "$tmp/docker.tar" "$tmp/nameless.tar" && same nameless "$tmp/nameless.tar"; }
as_zstd() {
	copy --dest-compress-format zstd --dest-compress-level 3 "docker-archive:$tmp/docker.tar" "oci:$tmp/zstd-layout:test" &&
		grep -q 'tar+zstd' "$tmp/zstd-layout/blobs/sha256/$(json_get "$tmp/zstd-layout/index.json" manifests.0.digest | cut -d: -f2)" && same zstd "$tmp/zstd-layout"
}
as_index() {
	inner=$(python3 "$layouts" platforms "$tmp/layout" "$tmp/indexed") && same index "$tmp/indexed:all" &&
		same pinned "$tmp/indexed" "/^Source=/aChecksum=$(json_get "$tmp/layout/index.json" manifests.0.digest)" &&
		same pinned-index "$tmp/indexed" "/^Source=/aChecksum=$inner"
}
with_name() { same name "$tmp/layout:test"; }
# The image as an application on an empty base.
as_package() {
	build package x "s|^Source=.*|Source=none|; /^Image=x/d; 1i[Package]\\nPath=$tmp/image.tar\\n" &&
		json_get "$tmp/package/synthetic-1.0.manifest.json" inputs | grep -q '"kind": "package"'
}
check "the same by its name" with_name
check "archive of a layout, by skopeo: the same root" as_archive
check "docker-archive, plain layers: the same root" as_docker
check "docker-archive in gzip: the same root" as_docker_gzip
check "docker-archive of Docker 25 without a name: the same root" as_nameless
check "layers of zstd: the same root" as_zstd
check "index of platforms in an index, by name and by digests: the same root" as_index
check "as a package" as_package

inputs_are_listed() {
	python3 - "$tmp/layout" "$tmp/umoci/synthetic-1.0.manifest.json" <<-'PY'
		import json, sys
		layout = sys.argv[1]
		load = lambda d: json.load(open(f"{layout}/blobs/sha256/{d[7:]}"))
		top = json.load(open(layout + "/index.json"))["manifests"][0]
		manifest = load(top["digest"])
		expected = [("base", top)] + [("config", manifest["config"])] + [("layer", l) for l in manifest["layers"]]
		inputs = [i for i in json.load(open(sys.argv[2]))["inputs"] if i["kind"] in ("base", "config", "layer")]
		assert [(i["kind"], i["sha256"], i["size"]) for i in inputs] == [(k, d["digest"][7:], d["size"]) for k, d in expected], inputs
		assert inputs[0]["version"] == "1.2" and inputs[0]["arch"] == "amd64", inputs[0]
	PY
}
check "the manifest lists image, configuration and layers" inputs_are_listed
offline_again() {
	rm "$tmp"/layout/blobs/sha256/"$(python3 -c 'import json, sys
top = sys.argv[1]
load = lambda d: json.load(open(f"{top}/blobs/sha256/{d[7:]}"))
print(load(json.load(open(top + "/index.json"))["manifests"][0]["digest"])["layers"][0]["digest"][7:])' "$tmp/layout")" &&
		"$mkappliance" build "$tmp/in/umoci.conf" -o "$tmp/umoci" --quiet --offline && [ "$(root_hash_of umoci)" = "$expected" ]
}

# ---- the oracle ----

export LIBGUESTFS_BACKEND=direct LIBGUESTFS_CACHEDIR=/var/tmp
grep -qwE 'vmx|svm' /proc/cpuinfo || export LIBGUESTFS_BACKEND_SETTINGS=force_tcg
# Go's tar takes an attribute without a value for one that is to be deleted, so umoci does not have user.empty.
as_umoci_unpacks() {
	umoci unpack --image "$tmp/layout:test" "$tmp/bundle" >/dev/null &&
		guestfish --ro --format=raw -a "$tmp/umoci/synthetic-1.0.raw" <<-END &&
			run
			mount-ro /dev/sda2 /
			tar-out / $tmp/seen.tar xattrs:true numericowner:true
		END
		python3 "$trees" directory "$tmp/bundle/rootfs" | sed 's/ @[0-9]*//' >"$tmp/umoci.list" &&
		python3 "$trees" tar "$tmp/seen.tar" | grep -v "^b'lost+found' directory 0700 0:0 " | sed 's/ @[0-9]*//; s| user.empty=[0-9a-f]*/0||' >"$tmp/seen.list" &&
		[ "$(wc -l <"$tmp/seen.list")" -gt 80 ] && diff "$tmp/umoci.list" "$tmp/seen.list"
}
if command -v guestfish >/dev/null; then
	check "every name, mode, owner, link, attribute and content as umoci unpacks it" as_umoci_unpacks
else
	check_skip "the tree as umoci unpacks it" "guestfish is not installed (apt-get install guestfish)"
fi
check "a layer in the cache is not looked for again" offline_again

# ---- what is wrong with an image ----

python3 "$layouts" bad "$tmp/bad"
cached() { find "$XDG_CACHE_HOME/mkappliance/layers" -name '*.tar' | sort; }
before=$(cached)
# bad NAME CODE TEXT [:IMAGE-NAME [SED-SCRIPT]]
bad() {
	write_template bad "$tmp/bad/$1${4:-}" "${5:-}"
	check "$1${4:-}: exit code $2, $3" fails_with "$2" "$3" "$mkappliance" build "$tmp/in/bad.conf" -o "$tmp/bad-out" --quiet
}
bad corrupt-layer 3 "layer 1 of 1: the blob is damaged: its SHA-256 is "
bad long-layer 3 "bytes, its manifest says"
bad missing-layer 1 "is missing: the image is not complete"
bad corrupt-config 3 "is damaged: its SHA-256 is"
bad corrupt-manifest 3 "is damaged: its SHA-256 is"
bad missing-manifest 1 "is missing: the image is not complete"
bad wrong-diff-id 3 "what it unpacks to is not what the configuration lists in diff_ids"
bad two-diff-ids 1 "has 1 layers, but its configuration lists 2 diff_ids"
bad arm64 2 "has no image for linux/amd64 (Architecture=x86_64), but for 'linux/arm64/v8', 'linux/s390x'"
bad arm64-by-config 2 "is an image for linux/arm64, the appliance is for linux/amd64"
bad chart 1 "is not a container image: its configuration is of type 'application/vnd.cncf.helm.config.v1+json'"
bad schema1 1 "holds an image in Docker's schema 1; convert it"
bad several 2 "holds several images: 'one', 'two'; say which: Image=PATH:NAME"
bad several 2 "holds no image 'three', but 'one', 'two'" :three
bad several 3 "nothing in it has the digest of [Base] Checksum=sha256:0000" "" "/^Source=/aChecksum=sha256:$(printf '0%.0s' {1..64})"
bad empty 1 "holds no image"
bad version 1 "is an OCI layout of version 2.0.0, which is not known"
bad no-marker 2 "is neither an OCI layout (oci-layout and index.json are not there) nor"
bad not-json 1 "index.json:1:1: not valid JSON"
bad digest-path 1 "'sha256:../../../../../../etc/passwd' is not sha256: and 64 hexadecimal digits"
bad fifo 1 "is not a regular file"
bad deep 1 "its indexes lead to more than 256 others, or deeper than 8"
bad wide 1 "its indexes lead to more than 256 others, or deeper than 8"
bad no-tar 1 "not a tar archive"
bad not-compressed-right 1 "decompressing"
bad path-up 1 "has '..' in its path"
bad path-absolute-up 1 "has '..' in its path"
bad through-link 1 "goes through a symbolic link of the same archive"
bad hard-link-out 1 "is a hard link to a path out of the archive"
bad whiteout-of-nothing 1 "is a whiteout of nothing"
bad bomb-gzip 1 "so it is taken for a decompression bomb"
bad bomb-zstd 1 "so it is taken for a decompression bomb"
bad many-layers 1 "'layers' has 513 members, more than 512"
bad nowhere 2 "neither an OCI layout or archive nor docker://NAME:TAG; there is no file or directory of that name"
# Those that are tars, and only as a part of the whole tree wrong, are good layers.
nothing_stays() {
	diff <(echo "$before") <(cached) | grep -c '^>' | grep -qx 2 && [ ! -e "$tmp/bad-out" ] &&
		[ -z "$(find "$XDG_CACHE_HOME" -name '*.lock' -newer "$tmp/in/bad.conf" -size +0)" ]
}
check "of all these the cache has but the two that are sound tars" nothing_stays

# ---- a registry, buildah, and the four lines ----

command -v docker-registry >/dev/null || {
	check_skip "docker://: 4 checks" "docker-registry is not installed (apt-get install docker-registry)"
	exit
}
export HOME=$tmp/home
port=$(free_port)
mkdir -p "$HOME/.config/containers" "$tmp/registry"
printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$port" >"$HOME/.config/containers/registries.conf"
printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' >"$HOME/.config/containers/policy.json"
cat >"$tmp/registry.yml" <<-END
	version: 0.1
	log: {level: error, accesslog: {disabled: true}}
	storage: {filesystem: {rootdirectory: $tmp/registry}}
	http: {addr: "127.0.0.1:$port"}
END
docker-registry serve "$tmp/registry.yml" >"$tmp/registry.log" 2>&1 &
registry=$!
stop_registry() { kill "$registry" 2>/dev/null; }
at_exit stop_registry
comes curl -s -o /dev/null --noproxy '*' "http://127.0.0.1:$port/v2/"
reference=docker://127.0.0.1:$port/test/image:1.0
from_registry() { copy "docker-archive:$tmp/docker.tar" "$reference" && same registry "$reference"; }
check "docker:// of a registry: the same root" from_registry
digest_is_the_registrys() {
	local digest
	digest=$(skopeo inspect --format '{{.Digest}}' "$reference") &&
		same by-digest "docker://127.0.0.1:$port/test/image@$digest" "/^Source=/aChecksum=$digest"
}
check "its manifest has the digest that the registry says" digest_is_the_registrys
write_template other "$reference" "/^Source=/aChecksum=sha256:$(printf '0%.0s' {1..64})"
check "another digest, which may be that of an index" fails_with 3 "goes into Image=: docker://NAME@sha256:..." \
	"$mkappliance" build "$tmp/in/other.conf" -o "$tmp/other" --quiet

# With buildah in Docker's format, from a busybox; run by nothing but the four settings.
by_buildah() {
	local b=(buildah --root "$tmp/storage" --runroot "$tmp/run" --storage-driver vfs) c
	c=$("${b[@]}" from scratch) && mkdir -p "$tmp/box/bin" "$tmp/box/etc" "$tmp/box/srv/www" && cp "$(command -v busybox)" "$tmp/box/bin/busybox" &&
		ln -s busybox "$tmp/box/bin/httpd" && echo 'www:x:33:33::/srv/www:/bin/false' >"$tmp/box/etc/passwd" && echo 'the four lines' >"$tmp/box/srv/www/index.html" &&
		"${b[@]}" add --quiet "$c" "$tmp/box" / >/dev/null &&
		"${b[@]}" config --entrypoint '["httpd", "-f"]' --cmd '-p 8080' --user www --env PATH=/bin --port 8080/tcp --workingdir /srv/www "$c" &&
		"${b[@]}" commit --quiet --format docker "$c" box >/dev/null && "${b[@]}" push --quiet --tls-verify=false box "docker://127.0.0.1:$port/box:latest" &&
		"${b[@]}" rm "$c" >/dev/null
}
four_lines() {
	printf '[Appliance]\nName=four\nVersion=1\n[Base]\nSource=oci\nImage=docker://127.0.0.1:%s/box\n' "$port" >"$tmp/four.conf" &&
		env -u MKAPPLIANCE_INIT XDG_CACHE_HOME="$user_cache" "$mkappliance" build "$tmp/four.conf" -o "$tmp/four" --cache "$tmp/four-cache" --quiet &&
		printf '[Test]\nGet=http://:8080/ 200 "the four lines"\n' >>"$tmp/four.conf" &&
		env -u MKAPPLIANCE_INIT "$mkappliance" build "$tmp/four.conf" -o "$tmp/four" --cache "$tmp/four-cache" --quiet --offline &&
		"$mkappliance" test "$tmp/four/four-1.raw"
}
if command -v buildah >/dev/null && command -v busybox >/dev/null; then
	check "an image by buildah goes to the registry" by_buildah
	check "a template of four lines boots it, as the image says" four_lines
else
	check_skip "a template of four lines: 2 checks" "buildah or busybox is not installed (apt-get install buildah busybox-static)"
fi

stop_registry
gone() { fails_with 1 "127.0.0.1:$port/test/image:2.0" "$mkappliance" build "$tmp/in/gone.conf" -o "$tmp/gone" --quiet; }
write_template gone "docker://127.0.0.1:$port/test/image:2.0"
check "a registry that is not there is an error" gone
check "--offline: what was fetched is there" "$mkappliance" build "$tmp/in/registry.conf" -o "$tmp/registry-again" --quiet --offline
check "--offline: what was not is an error" fails_with 1 "fetching it was forbidden (--offline)" \
	"$mkappliance" build "$tmp/in/gone.conf" -o "$tmp/gone" --quiet --offline
no_skopeo() {
	fails_with 1 "to fetch it, 'skopeo' is needed, which is not installed (apt-get install skopeo)" \
		env PATH=/nowhere "$mkappliance" build "$tmp/in/gone.conf" -o "$tmp/gone" --quiet
}
check "without skopeo: which package has it" no_skopeo
