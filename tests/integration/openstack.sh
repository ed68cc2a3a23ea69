#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# upload --to openstack: into Debian's own Glance, by Keystone's tokens; what is stored is what was built, and nobody gets two of it.
# Takes: 110 s
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/openstack_server.sh"
requires keystone-wsgi-public keystone
requires glance-api
requires openstack python3-openstackclient
requires curl

for version in 1 2; do
	"$mkappliance" build templates/hello -o "$tmp/out" --version $version --quiet || {
		echo "not ok hello $version builds"
		exit 1
	}
done
image=$tmp/out/hello-1.raw
openstack_start || {
	echo "not ok Keystone and Glance start"
	exit 1
}
upload() { "$mkappliance" upload --to openstack --quiet "$@"; }
# The images of a name (all without one), as a list; ids and states of them
images() { os_ask GET "$image_url/v2/images?${1:+name=$1}" >"$tmp/images.json" && json_get "$tmp/images.json" images; }
count() { images "$@" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'; }
state() { images "$1" | python3 -c 'import json, sys; print(" ".join(i["status"] for i in json.load(sys.stdin)))'; }
# stored_is FILE ID: every byte
stored_is() { os_ask GET "$image_url/v2/images/$2/file" | cmp "$1" -; }
property() { os_ask GET "$image_url/v2/images/$1" | python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$2"; }

nothing_is_made() { upload "$image" --dry-run && [ "$(count)" = 0 ]; }
check "a dry run makes nothing" nothing_is_made

first() {
	upload "$image" --json >"$tmp/first.json" && id=$(json_get "$tmp/first.json" images.0.image) &&
		openstack image save --file "$tmp/back.raw" "$id" && cmp "$image" "$tmp/back.raw" && rm "$tmp/back.raw" &&
		[ "$(json_get "$tmp/first.json" already)" = false ] && [ "$(property "$id" status)" = active ]
}
check "what OpenStack's own client gets is what was built" first
id=$(json_get "$tmp/first.json" images.0.image)
properties() {
	local pair
	for pair in hw_firmware_type=uefi hw_machine_type=q35 hw_tpm_version=2.0 hw_tpm_model=tpm-crb architecture=x86_64 \
		mkappliance_state=ready mkappliance_version=1 visibility=private disk_format=raw min_disk=1 name=hello-1; do
		[ "$(property "$id" "${pair%%=*}")" = "${pair#*=}" ] || {
			echo "${pair%%=*} is $(property "$id" "${pair%%=*}")"
			return 1
		}
	done
	[ "$(property "$id" os_secure_boot)" = None ]
}
check "it says which machine it wants" properties

again() {
	upload "$image" --json >"$tmp/again.json" && [ "$(json_get "$tmp/again.json" already)" = true ] &&
		[ "$(json_get "$tmp/again.json" images.0.image)" = "$id" ] && [ "$(count)" = 1 ]
}
check "the same image again is no work" again

check "another image by its name is refused" fails_with 1 "is taken by image $id" upload "$tmp/out/hello-2.raw" --name hello-1

# A line that is cut leaves an image without bytes, which the next run fills.
killed_and_again() {
	local pid i
	"$mkappliance" upload --to openstack "$tmp/out/hello-2.raw" --quiet 2>/dev/null &
	pid=$!
	# When it was faster than we are there is nothing to go on with, which is no failure of it.
	for ((i = 0; i < 300; i++)); do
		[ -z "$(state hello-2)" ] || break
		sleep 0.02
	done
	kill -9 $pid
	wait $pid 2>/dev/null
	for ((i = 0; i < 300; i++)); do
		[ "$(state hello-2)" = saving ] || break
		sleep 0.2
	done
	upload "$tmp/out/hello-2.raw" --check full --json >"$tmp/second.json" && [ "$(count hello-2)" = 1 ] &&
		stored_is "$tmp/out/hello-2.raw" "$(json_get "$tmp/second.json" images.0.image)"
}
check "killed in the middle, the same command goes on; every byte read back" killed_and_again

deleted_and_again() {
	os_ask DELETE "$image_url/v2/images/$id" && upload "$image" --json >"$tmp/third.json" &&
		[ "$(json_get "$tmp/third.json" images.0.image)" != "$id" ] &&
		stored_is "$image" "$(json_get "$tmp/third.json" images.0.image)"
}
check "an image that was deleted is made again under another id" deleted_and_again
third=$(json_get "$tmp/third.json" images.0.image)
deleted_and_there() {
	upload "$image" --json >"$tmp/fourth.json" && [ "$(json_get "$tmp/fourth.json" already)" = true ] &&
		[ "$(json_get "$tmp/fourth.json" images.0.image)" = "$third" ] && [ "$(count hello-1)" = 1 ]
}
check "and that one is found again" deleted_and_there
completed() {
	[ "$(property "$third" visibility)" = private ] && upload "$image" --share "$os_other" --protect --secure-boot &&
		[ "$(property "$third" visibility)" = shared ] && [ "$(property "$third" protected)" = True ] &&
		[ "$(property "$third" os_secure_boot)" = required ] && os_ask GET "$image_url/v2/images/$third/members" | grep -qF "\"member_id\": \"$os_other\""
}
check "what is asked for later is added to it" completed
check "shared with a project and with all" fails_with 2 'goes with no other --share' upload "$image" --share "$os_other" --share all --yes
# As an upload leaves it that was killed when its last byte was there: not said to be ready.
not_ready() {
	curl -sS --noproxy '*' --fail-with-body -X PATCH -H "X-Auth-Token: $os_admin" -H 'Content-Type: application/openstack-images-v2.1-json-patch' \
		-d '[{"op": "add", "path": "/mkappliance_state", "value": "uploading"}]' "$image_url/v2/images/$1" >/dev/null
}
unseen() {
	not_ready "$third" && upload "$image" && [ "$(property "$third" mkappliance_state)" = ready ]
}
check "one that nobody had looked at yet is compared, and is ready then" unseen

shared() {
	local shared
	upload "$image" --name shared --share "$os_other" --protect --no-tpm --secure-boot --json >"$tmp/shared.json" &&
		shared=$(json_get "$tmp/shared.json" images.0.image) && [ "$(property "$shared" protected)" = True ] &&
		[ "$(property "$shared" hw_tpm_version)" = None ] && [ "$(property "$shared" os_secure_boot)" = required ] &&
		os_ask GET "$image_url/v2/images/$shared/members" | grep -qF "\"member_id\": \"$os_other\""
}
check "shared with a project, protected, with Secure Boot and without a TPM" shared

# Application credentials, by clouds.yaml, with the secret beside it.
credential_file() {
	openstack application credential create uploads -f json >"$tmp/credential.json" || return
	mkdir -p "$tmp/config/openstack"
	cat >"$tmp/config/openstack/clouds.yaml" <<-END
		clouds:
		  wrong:
		    auth: {auth_url: "$os_url", username: admin, password: wrong, project_name: admin}
		  dev:
		    auth_type: v3applicationcredential
		    auth:
		      auth_url: $os_url
		      application_credential_id: $(json_get "$tmp/credential.json" id)
		    region_name: RegionOne
		  user: # domain ids rather than names
		    auth: {auth_url: $os_url/v3/, username: builder, password: other-secret, project_name: other}
		    verify: true
		  blind:
		    auth: {auth_url: "$os_url", username: admin, password: secret, project_name: admin}
		    verify: false
	END
	cat >"$tmp/config/openstack/secure.yaml" <<-END
		clouds: {dev: {auth: {application_credential_secret: "$(json_get "$tmp/credential.json" secret)"}}}
	END
}
in_cloud() {
	env -u OS_AUTH_URL -u OS_USERNAME -u OS_PASSWORD -u OS_PROJECT_NAME -u OS_USER_DOMAIN_NAME -u OS_PROJECT_DOMAIN_NAME \
		XDG_CONFIG_HOME="$tmp/config" "$mkappliance" upload --to openstack --quiet "$image" "$@"
}
by_credential() { credential_file && in_cloud --profile dev --name by-credential --json >"$tmp/dev.json" &&
	[ "$(state by-credential)" = active ]; }
check "an application credential of clouds.yaml and secure.yaml" by_credential
check "another user's cloud, named by OS_CLOUD" env OS_CLOUD=user bash -c "$(declare -f in_cloud); tmp='$tmp' mkappliance='$mkappliance' image='$image'; in_cloud --name by-user"
check "a wrong password: who says so, and of what" fails_with 1 "cloud 'wrong' of $tmp/config/openstack/clouds.yaml: identity:create_token: status 401" \
	in_cloud --profile wrong
check "TLS is not left unverified" fails_with 2 "TLS is always verified" in_cloud --profile blind
check "a cloud that is not there" fails_with 2 "no cloud 'none' (there are: wrong, dev, user, blind)" in_cloud --profile none
check "several clouds and no name" fails_with 2 "has 4 clouds" in_cloud
check "no cloud at all" fails_with 2 "OS_AUTH_URL is not set" env XDG_CONFIG_HOME="$tmp/none" HOME="$tmp" OS_AUTH_URL= "$mkappliance" upload --to openstack "$image"
check "nobody but the administrator may make it public" fails_with 1 "image:create: status 403" \
	env OS_CLOUD=user bash -c "$(declare -f in_cloud); tmp='$tmp' mkappliance='$mkappliance' image='$image'; in_cloud --name public --share all --yes"
check "a region that the catalog does not have" fails_with 2 "in region nowhere" upload "$image" --region nowhere
check "an option of another provider" fails_with 2 "means nothing for provider 'openstack'" upload "$image" --iops 5
check "two regions at once" fails_with 2 "upload to each --region by itself" upload "$image" --region a --region b
check "nobody listens" fails_with 1 "identity:create_token" env OS_AUTH_URL=http://127.0.0.1:9 "$mkappliance" upload --to openstack --quiet "$image"

# What changed since it was built never becomes an image.
altered() {
	cp "$tmp/out/hello-1".* "$tmp/" && chmod u+w "$tmp/hello-1.raw" &&
		printf X | dd of="$tmp/hello-1.raw" bs=1 seek=80000000 conv=notrunc status=none &&
		fails_with 3 "is not what was built" upload "$tmp/hello-1.raw" --name altered &&
		[ "$(state altered)" != active ]
}
check "an image that changed since it was built" altered
# Its bytes after all, by somebody else's hand, beside what says that they are those of the build.
other_bytes() {
	local made
	images altered >/dev/null && made=$(json_get "$tmp/images.json" images.0.id) &&
		curl -sS --noproxy '*' --fail-with-body -X PUT -H "X-Auth-Token: $os_admin" -H 'Content-Type: application/octet-stream' \
			-T "$tmp/hello-1.raw" "$image_url/v2/images/$made/file" && [ "$(state altered)" = active ] &&
		fails_with 3 'holds other bytes' upload "$image" --name altered
}
check "other bytes are not taken for those of the build" other_bytes
secrets() { ! grep -rqF -e other-secret -e "$(json_get "$tmp/credential.json" secret)" "$tmp"/*.json --exclude=credential.json; }
check "no secret in what it prints" secrets
