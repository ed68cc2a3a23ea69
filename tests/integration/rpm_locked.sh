#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# build --locked on Source=rpm: the repository has moved on, and the build asks for the versions of the manifest; a version that is gone
# is named.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
. tests/integration/rpm_repository.sh

repository=$tmp/repository
# thing VERSION: the package 'thing' of that version, into the repository.
thing() {
	simple thing "thing$1" && sed "s/^Version: 1/Version: $1/" -i "$tmp/thing.spec" &&
		rpmbuild -bb --quiet --define "_topdir $tmp/build" --define "_rpmdir $repository" --define "_dbpath $tmp/db" --target x86_64 \
			--define "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" "$tmp/thing.spec" >/dev/null 2>&1 && createrepo_c --quiet "$repository"
}
mkdir "$repository" && cp "$distribution"/repository/{filesystem,kernel-core,setup,glibc,bash,base-libs}-*.rpm "$repository/"
simple app app 'Requires: thing'
cat >"$tmp/app.conf" <<-END
	[Appliance]
	Name=app
	Version=1
	[Base]
	Source=rpm
	Release=9
	Repository=small $repository gpgcheck=no
	Packages=filesystem glibc kernel-core
	[Init]
	Mode=system
	Init=/usr/bin/bash
	[Package]
	Path=app-1-1.x86_64.rpm
	END
sed 's/^Packages=.*/& thing/; /^Path=/d; /^\[Package\]/d; s/^Name=.*/Name=base/' "$tmp/app.conf" >"$tmp/base.conf"
# build NAME CACHE OPTION...
build() { "$mkappliance" build "$tmp/$1.conf" -o "$tmp/out-$2" --cache="$tmp/cache-$2" --quiet "${@:3}"; }
version() { python3 -c 'import json, sys; print(next(p["version"] for p in json.load(open(sys.argv[1]))["packages"] if p["name"] == "thing"))' "$tmp/out-$1/$2-1.manifest.json"; }

first() { thing 1 && build base first && build app first && [ "$(version first base) $(version first app)" = "1-1 1-1" ]; }
check "what the repository has is built" first || exit
# Afterwards the caches of 'moved' hold layers with the new version.
moved() { thing 2 && build base moved && build app moved && [ "$(version moved base) $(version moved app)" = "2-1 2-1" ]; }
check "the repository moves on, and builds with it" moved
# same NAME CACHE: that build, locked, is the first one.
same() { build "$1" "$2" --locked "$tmp/out-first/$1-1.manifest.json" "${@:3}" && same_bytes "$tmp/out-first/$1-1.raw" "$tmp/out-$2/$1-1.raw"; }
check "locked, nothing in the cache: the base of then" same base new
check "locked, nothing in the cache: the application of then" same app new
check "locked, newer layers in the cache: the base of then" same base moved
check "locked, newer layers in the cache: the application of then" same app moved
check "locked, once more, from the cache" same base moved --offline

rm "$repository"/thing-1-*.rpm && createrepo_c --quiet "$repository"
gone() { # NAME
	fails_with 3 "package thing 1-1 (x86_64) of the manifest is in no repository of the template any more" build "$1" gone --locked "$tmp/out-first/$1-1.manifest.json" &&
		[ ! -e "$tmp/out-gone/$1-1.raw" ]
}
check "a version that is gone is named: in the base" gone base
check "a version that is gone is named: for the application" gone app
