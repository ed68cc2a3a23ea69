#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An RPM that its vendor made and signed, with scriptlets, an account, a unit and configuration: Elasticsearch 2.0.0 as Maven Central has
# it. It goes on the small distribution of scripts/rpm-distribution; nothing of it is run, which would need Java.
. "$(dirname "$0")/functions.sh"
requires mvn maven
requires debugfs e2fsprogs
requires mcopy mtools
requires objcopy binutils
requires cpio

. tests/integration/rpm_repository.sh
# What Maven has fetched stays in the build directory.
artifact=org/elasticsearch/distribution/rpm/elasticsearch/2.0.0/elasticsearch-2.0.0.rpm
vendor=$PWD/build/maven/$artifact
sum=6bd2d7840447836450d8781fffa9e296dfb257b523598c6e55433850e37feb25
[ -e "$vendor" ] || timeout 300 mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dmaven.repo.local="$PWD/build/maven" -Dtransitive=false \
	-Dartifact=org.elasticsearch.distribution.rpm:elasticsearch:2.0.0:rpm >"$tmp/log" 2>&1 || skip "Maven cannot fetch it: $(grep -m 1 ERROR "$tmp/log" | cut -c 1-200)"
check "it is what it was" [ "$(sha256sum <"$vendor")" = "$sum  -" ] || exit
export XDG_CACHE_HOME=$tmp/cache

# conf NAME PACKAGES LINE...: lines go to [Package].
conf() {
	cat >"$tmp/$1.conf" <<-END
		[Appliance]
		Name=$1
		Version=1
		[Base]
		Source=rpm
		Release=9
		Repository=small $distribution/repository gpgkey=$distribution/key.asc
		Packages=filesystem bash coreutils kernel-core $2
		[Init]
		Unit=elasticsearch.service
		[Package]
		Path=$vendor
	END
	[ $# -lt 3 ] || printf '%s\n' "${@:3}" >>"$tmp/$1.conf"
}
build() { "$mkappliance" build "$tmp/$1.conf" -o "$tmp/out" "${@:2}"; }

conf search shadow-utils
check "it is installed" build search --verbose || exit
in_root() { # COMMAND...: debugfs's, on the image's root
	debugfs -R "$*" "$tmp/out/search-1.raw?offset=$(json_get "$tmp/out/search-1.manifest.json" disk.partitions.1.offset)" 2>/dev/null
}
account() {
	local uid
	uid=$(in_root cat /etc/passwd | awk -F: '$1 == "elasticsearch" { print $3 }') && [ -n "$uid" ] &&
		in_root stat /var/lib/elasticsearch | grep -qE "User: +$uid " && in_root stat /etc/elasticsearch/elasticsearch.yml | grep -qE 'Mode: +0750'
}
check "its %pre made the account, which owns its directories" account
noted() {
	python3 - "$tmp/out/search-1.manifest.json" "$sum" <<-'PY'
		import json, sys
		p = {p["name"]: p for p in json.load(open(sys.argv[1]))["packages"]}["elasticsearch"]
		assert (p["version"], p["arch"], p["sha256"], p["license"]) == ("2.0.0-1", "noarch", sys.argv[2], "(c) 2009"), p
	PY
}
check "the manifest says what it is" noted
# The init's configuration lies in the initrd of the UKI.
unit() {
	mcopy -n -i "$tmp/out/search-1.raw@@$(json_get "$tmp/out/search-1.manifest.json" disk.partitions.0.offset)" ::/EFI/BOOT/BOOTX64.EFI "$tmp/uki" &&
		objcopy -O binary --only-section=.initrd "$tmp/uki" "$tmp/initrd" && mkdir -p "$tmp/cpio" && (cd "$tmp/cpio" && head -c "$(json_get "$tmp/out/search-1.manifest.json" initrd.size)" "$tmp/initrd" | cpio -id --quiet --no-preserve-owner) &&
		grep -aE '^(Arg|Env|Limit|User|WorkingDirectory|Before)' "$tmp/cpio/appliance.conf" && for line in 'Arg=/usr/share/elasticsearch/bin/elasticsearch' \
		'Arg=-Des.default.path.data=/var/lib/elasticsearch' 'Arg=-Des.pidfile=/var/run/elasticsearch/elasticsearch.pid' 'Env=CONF_DIR=/etc/elasticsearch' \
		'Limit=7 65535 65535' 'WorkingDirectory=/usr/share/elasticsearch' 'BeforeArg=/usr/share/elasticsearch/bin/elasticsearch-systemd-pre-exec'; do
		grep -qaxF -e "$line" "$tmp/cpio/appliance.conf" || {
			echo "not there: $line"
			return 1
		}
	done
}
check "its unit says how it is started" unit

signed() { conf signed shadow-utils "GPGKey=$distribution/key.asc" && fails_with 3 'is signed by a foreign key (' build signed --quiet; }
check "its signature is another's than the key named" signed
# It does not say that it needs useradd, and its %pre ends well without: the account is missed where the unit needs it.
bare() { conf bare '' && fails_with 2 "User 'elasticsearch': is not in /etc/passwd of the image" build bare --quiet; }
check "on a base without useradd the account that its %pre could not make is named" bare
