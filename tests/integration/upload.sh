#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# upload: what is registered is byte for byte what was built; only what changed is sent; killed at any moment it goes on.
# Takes: 150 s, waiting
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/cloud.sh"
requires python3
requires openssl
requires curl
requires sfdisk fdisk

kills=${UPLOAD_KILLS:-12}
cp -r templates/hello "$tmp/template"
sed -i "s|=../../|=$PWD/|" "$tmp/template/appliance.conf"
printf '\n[Upload]\nProvider=aws\nRegion=us-west-2\nParameter=/from-template/{name}\n' >>"$tmp/template/appliance.conf"
head -c 3000000 /dev/urandom >"$tmp/template/large"
sed -i 's|^Copy=.*|&\nCopy=large:/opt/large|' "$tmp/template/appliance.conf"
for version in 1 2; do
	[ $version = 1 ] || head -c 3000 /dev/urandom | dd of="$tmp/template/large" bs=1000 seek=900 conv=notrunc status=none
	"$mkappliance" build "$tmp/template" -o "$tmp/out" --version $version --quiet || {
		echo "not ok version $version builds"
		exit 1
	}
done
# The third one lost the file: what it took becomes zeros.
sed -i '/^Copy=large/d' "$tmp/template/appliance.conf"
"$mkappliance" build "$tmp/template" -o "$tmp/out" --version 3 --quiet || exit 1
image() { echo "$tmp/out/hello-$1.raw"; }

cloud_start '{"latency_ms": 5, "start_lag_s": 1, "complete_s": 1, "list_lag_s": 2, "image_pending_s": 1, "image_lag_s": 1, "scale": 0.5}' || exit 1
export AWS_ENDPOINT_URL=$cloud_url

# Another region than that of the template, unless the test says one.
upload() {
	case " $* " in
	*" --region "* | *" from-template "*) "$mkappliance" upload "$@" ;;
	*) "$mkappliance" upload "$@" --region us-east-1 ;;
	esac
}
field() { json_get "$1" "$2"; }
ami_of() { json_get "$1" images.0.image; }

# identical AMI VERSION: the volume that an instance would get
identical() {
	python3 tests/fakecloud materialize "$cloud_state" "$1" "$tmp/back.raw" >/dev/null && same_bytes "$tmp/back.raw" "$(image "$2")" &&
		rm "$tmp/back.raw"
}

# Every byte that the manifest does not call don't-care.
matters_identical() {
	python3 tests/fakecloud materialize "$cloud_state" "$1" "$tmp/back.raw" >/dev/null && python3 - "$tmp/back.raw" "$(image "$2")" <<-'PY'
		import json, sys
		manifest = json.load(open(sys.argv[2].replace(".raw", ".manifest.json")))
		at, ends = 0, [(r["offset"], r["length"]) for r in manifest["dont_care"]] + [(manifest["disk"]["size"], 0)]
		with open(sys.argv[1], "rb") as a, open(sys.argv[2], "rb") as b:
		    for offset, length in ends:
		        a.seek(at), b.seek(at)
		        while at < offset:
		            n = min(1 << 20, offset - at)
		            assert a.read(n) == b.read(n), "differs after byte %d" % at
		            at += n
		        at += length
	PY
}

# ---- a full upload ----
say_plan() {
	upload "$(image 1)" --dry-run --json >"$tmp/dry.json" && [ "$(field "$tmp/dry.json" dry_run)" = true ] &&
		[ "$(cloud_counter action:StartSnapshot)" = 0 ] && [ "$(field "$tmp/dry.json" plan.send)" -gt 30 ] &&
		[ ! -e "$tmp/out/hello-1.upload.jsonl" ] && cloud_ask "$cloud_url/_fake/log/RegisterImage" | grep -q DryRun=true
}
check "--dry-run sends nothing and makes nothing" say_plan
whole() { upload "$(image 1)" --name first --json --check full >"$tmp/1.json"; }
check "uploads" whole
check "each block that matters was sent once" [ "$(cloud_counter blocks:rewritten)" = 0 ]
check "what is registered is what was built" identical "$(ami_of "$tmp/1.json")" 1
registered_as() {
	cloud_ask "$cloud_url/_fake/log/RegisterImage" | grep -o '"body": "[^"]*"' | tail -1 | tee "$tmp/register" >/dev/null
	local want
	for want in Architecture=x86_64 BootMode=uefi TpmSupport=v2.0 ImdsSupport=v2.0 EnaSupport=true VirtualizationType=hvm VolumeType=gp3 \
		Key=mkappliance%3Ablocks; do
		grep -q -- "$want" "$tmp/register" || {
			echo "no $want in $(cat "$tmp/register")"
			return 1
		}
	done
}
check "as UEFI, TPM 2.0, IMDSv2, ENA, gp3, with its tags" registered_as
ready() {
	cloud_ask "$cloud_url/_fake/objects/tags" | python3 -c '
import json, sys
tags = json.load(sys.stdin)
for key in sys.argv[1:]:
    assert tags[key]["mkappliance:state"] == "ready" and tags[key]["mkappliance:name"] == "hello", tags[key]' "$@"
}
check "image and snapshot say that they are ready" ready "$(ami_of "$tmp/1.json")" "$(field "$tmp/1.json" images.0.snapshot)"
again_is_nothing() {
	local before
	before=$(cloud_counter action:PutSnapshotBlock)
	upload "$(image 1)" --name first --json >"$tmp/again.json" && [ "$(field "$tmp/again.json" already)" = true ] &&
		[ "$(ami_of "$tmp/again.json")" = "$(ami_of "$tmp/1.json")" ] && [ "$(cloud_counter action:PutSnapshotBlock)" = "$before" ]
}
check "again: the same image, no work" again_is_nothing
without_journal() {
	rm "$tmp/out/hello-1.upload.jsonl" && again_is_nothing
}
check "also without the journal" without_journal

from_template() {
	upload "$(image 1)" --name from-template --json >"$tmp/t.json" && [ "$(field "$tmp/t.json" images.0.region)" = us-west-2 ] &&
		cloud_ask "$cloud_url/_fake/objects/parameters" | grep -q 'us-west-2//from-template/hello'
}
check "[Upload] of the template says where, an option says otherwise" from_template

# ---- deltas ----
delta() { # VERSION MOST
	upload "$(image "$1")" --json >"$tmp/$1.json" || return
	local sent
	sent=$(($(field "$tmp/$1.json" sent_bytes) / 524288))
	cat "$tmp/$1.json"
	[ "$(field "$tmp/$1.json" parent)" != None ] && [ "$sent" = "$(field "$tmp/$1.json" plan.send)" ] && [ "$sent" -le "$2" ] &&
		[ "$(field "$tmp/$1.json" plan.unchanged)" -gt 0 ] && identical "$(ami_of "$tmp/$1.json")" "$1"
}
check "a few bytes changed: few blocks are sent, the result is identical" delta 2 40
check "the service itself says that just these differ" [ "$(cloud_counter action:ListChangedBlocks)" -gt 0 ]
check "what became zeros is sent as zeros" delta 3 50
zeros_sent() { [ "$(field "$tmp/3.json" plan.send_zero)" -gt 0 ]; }
check "  (some were)" zeros_sent

encrypted() {
	cloud '{"encryption_by_default": {"us-east-1": true}}' && upload "$(image 1)" --name encrypted --json >"$tmp/e.json" 2>"$tmp/log" &&
		[ "$(field "$tmp/e.json" parent)" = None ] && grep -q 'not encrypted' "$tmp/log" &&
		matters_identical "$(ami_of "$tmp/e.json")" 1 && ! same_bytes "$tmp/back.raw" "$(image 1)"
	local status=$?
	cloud '{"encryption_by_default": null}'
	rm -f "$tmp/back.raw"
	return $status
}
check "an account that encrypts unasked: no such parent, and every byte that matters is there among garbage" encrypted
kms() {
	local key=arn:aws:kms:us-east-1:111122223333:key/a
	upload "$(image 1)" --name with-key --kms-key "us-east-1=$key" --json >"$tmp/k.json" && matters_identical "$(ami_of "$tmp/k.json")" 1 &&
		upload "$(image 2)" --name with-key-2 --kms-key "$key" --json >"$tmp/k2.json" &&
		[ "$(field "$tmp/k2.json" parent)" = "$(field "$tmp/k.json" images.0.snapshot)" ] && matters_identical "$(ami_of "$tmp/k2.json")" 2
}
check "a key of one's own, and a delta below it" kms

# ---- verify aws: ----
verify() { "$mkappliance" verify "aws:$1" --manifest "$tmp/out/hello-$2.manifest.json" "${@:3}"; }
check "verify aws: a sample" verify "$(ami_of "$tmp/2.json")" 2
verify_whole() { verify "$(ami_of "$tmp/3.json")" 3 --full && verify "$(ami_of "$tmp/e.json")" 1 --full; }
check "verify aws: every byte, of a delta and of an encrypted one" verify_whole
without_list() {
	cp "$tmp/out/hello-2.manifest.json" "$tmp/alone.json" && "$mkappliance" verify "aws:$(ami_of "$tmp/2.json")" --manifest "$tmp/alone.json"
}
check "verify aws: by the manifest alone" without_list
check "verify aws: another image's manifest" fails_with 3 'holds another image' verify "$(ami_of "$tmp/2.json")" 3
corrupted() {
	local snapshot block
	snapshot=$(field "$tmp/1.json" images.0.snapshot)
	# Somewhere in the large file, which is random and so in no other.
	block=$(python3 -c '
import sys
image = open(sys.argv[1], "rb").read(100 << 20)
print(image.index(open(sys.argv[2], "rb").read(4096)) // 524288 + 1)' "$(image 2)" "$tmp/template/large") &&
		cloud_ask "$cloud_url/_fake/corrupt" -d "{\"snapshot\": \"$snapshot\", \"block\": $block, \"byte\": 5}" >/dev/null &&
		fails_with 3 '(/opt/large)' verify "$(ami_of "$tmp/1.json")" 1 --full
}
check "verify aws: a byte that the cloud turned: partition, block and file" corrupted

# ---- copies and what else the world sees ----
published() {
	upload "$(image 2)" --name published --region us-east-1 --region eu-west-1 --region eu-central-1 \
		--kms-key eu-central-1=arn:aws:kms:eu-central-1:111122223333:key/c --share 123456789012 --deprecate-after 30 --protect \
		--parameter '/app/{name}/{arch}/latest' --json >"$tmp/p.json" 2>"$tmp/log" && python3 - "$tmp/p.json" "$cloud_url" <<-'PY'
		import json, sys, urllib.request
		get = lambda kind: json.load(urllib.request.urlopen(sys.argv[2] + "/_fake/objects/" + kind))
		places = json.load(open(sys.argv[1]))["images"]
		images, tags = get("images"), get("tags")
		values = {p["ARN"].split(":")[3]: p["Value"] for p in get("parameters").values() if p["Name"] == "/app/hello/x86_64/latest"}
		assert [p["region"] for p in places] == ["us-east-1", "eu-west-1", "eu-central-1"], places
		for place in places:
		    image = images[place["image"]]
		    assert values[place["region"]] == place["image"] and image["region"] == place["region"], values
		    assert {"UserId": "123456789012"} in image["permissions"] and image["protected"] and image["deprecate_at"], image
		    assert image["mappings"][0]["Ebs"]["Encrypted"] == (place["region"] == "eu-central-1")
		    for one in place["image"], place["snapshot"]:
		        assert tags[one]["mkappliance:state"] == "ready" and tags[one]["mkappliance:version"] == "2", tags[one]
	PY
}
check "copied to two regions, one with its own key, shared, protected, with parameters" published
cp "$tmp/p.json" "$tmp/p1.json"
by_policy() {
	local where=(--region us-east-1 --region eu-central-1) key=arn:aws:kms:eu-central-1:111122223333:key/c
	"$mkappliance" aws-policy "${where[@]}" --kms-key $key --share --deprecate --protect --parameter '/app/*' >"$tmp/policy" && with_policy "$tmp/policy" &&
		limited upload "$(image 2)" --name by-policy "${where[@]}" --kms-key eu-central-1=$key --share 123456789012 --deprecate-after 30 --protect \
			--parameter '/app/{name}/{arch}/by-policy' --json >"$tmp/bp.json" && limited "$mkappliance" verify "aws:$(ami_of "$tmp/bp.json")" \
			--manifest "$tmp/out/hello-2.manifest.json" --quiet
}
check "aws-policy is enough for all of that, and for verify" by_policy
not_less() {
	"$mkappliance" aws-policy --region us-east-1 --parameter '/app/*' >"$tmp/policy" && with_policy "$tmp/policy" &&
		fails_with 1 'ec2:ModifyImageAttribute' limited "$mkappliance" upload "$(image 2)" --name by-policy --region us-east-1 --share 210987654321
}
check "  and without --share not for sharing" not_less
cloud '{"credentials": null}'
changes() { cloud_ask "$cloud_url/_fake/counters" | python3 -c '
import json, sys
print(sum(v for k, v in json.load(sys.stdin).items() if k in ("action:CopyImage", "action:RegisterImage", "action:PutParameter", "action:PutSnapshotBlock")))'; }
published_again() {
	local before
	before=$(changes)
	published && [ "$(changes)" = "$before" ] && cmp <(field "$tmp/p.json" images | tr -d ' ' | sed 's/"made":[a-z]*//g') \
		<(field "$tmp/p1.json" images | tr -d ' ' | sed 's/"made":[a-z]*//g')
}
check "  again: the same images, nothing is made twice" published_again
verify_copies() {
	verify "$(field "$tmp/p1.json" images.1.image)" 2 --region eu-west-1 --full --quiet &&
		verify "$(field "$tmp/p1.json" images.2.image)" 2 --region eu-central-1 --full --quiet
}
check "verify aws: a copy in another region, and an encrypted one" verify_copies

# ---- stopped at any moment ----
cloud '{"scale": 0.1}'
# A rate at which the blocks take about a second, so that the kills hit every phase.
killed_at() { # NUMBER
	local name=killed-$1 runs=0 status before seconds
	before=$(cloud_counter blocks:rewritten)
	cloud '{"throttle": {"PutSnapshotBlock": 60}, "throttle_burst": 0.05}'
	rm -f "$tmp/out/hello-1.upload.jsonl"
	while :; do
		seconds=$((RANDOM % 2)).$(printf '%03d' $((RANDOM % 990 + 10)))
		timeout -s KILL "$seconds" "$mkappliance" upload "$(image 1)" --region us-east-1 --name "$name" --parent none --json \
			>"$tmp/killed.json" 2>"$tmp/killed.log" && break
		status=$?
		[ $status = 137 ] || {
			echo "exit code $status: $(tail -2 "$tmp/killed.log")"
			return 1
		}
		runs=$((runs + 1))
		echo >>"$tmp/kills"
		[ $runs -lt 6 ] || cloud '{"throttle": {}}'
		[ $runs -lt 40 ] || return 1
	done
	cloud '{"throttle": {}}'
	echo $(($(cloud_counter blocks:rewritten) - before)) >>"$tmp/rewritten"
	# One of each, and what the cloud was given is what .blocks says: all of it but zeros, which all are don't-care here.
	python3 - "$(ami_of "$tmp/killed.json")" "$name" "$cloud_url" "$tmp/out/hello-1.blocks" <<-'PY'
		import json, sys, urllib.request
		get = lambda what: json.load(urllib.request.urlopen(sys.argv[3] + "/_fake/" + what))
		mine = [i for i in get("objects/images").values() if i["name"] == sys.argv[2]]
		assert len(mine) == 1 and mine[0]["id"] == sys.argv[1], mine
		tags = get("objects/tags")
		snapshots = [s for s in get("objects/snapshots") if tags.get(s, {}).get("Name") == sys.argv[2]]
		assert len(snapshots) == 1, "more than one snapshot"
		digests, zero = open(sys.argv[4], "rb").read()[64:].hex(), "07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541"
		digests = [digests[i:i + 64] for i in range(0, len(digests), 64)]
		want = {str(i): d for i, d in enumerate(digests) if d != zero}
		have = get("blocks/" + snapshots[0])
		assert {i: d for i, d in have.items() if d != zero} == want, "other blocks than those of .blocks"
	PY
}
killed_everywhere() {
	local i
	for ((i = 0; i < kills; i++)); do
		killed_at $i || return
	done
}
check "killed at random moments, $kills uploads: one snapshot, one image, identical" killed_everywhere
# At each kill: what is under way, and up to 8 blocks that were not noted yet.
not_again() {
	local again killed
	again=$(awk '{ n += $1 } END { print n + 0 }' "$tmp/rewritten") killed=$(wc -l <"$tmp/kills")
	echo "$killed kills, $again blocks sent twice"
	[ "$killed" -ge "$kills" ] && [ "$again" -le $((killed * 12)) ]
}
check "what had been sent is not sent again" not_again
[ "$kills" = 12 ] || not_again

some_are_noted() { grep -q '^{"done"' "$tmp/out/hello-1.upload.jsonl" 2>/dev/null; }
interrupted() {
	local status=0
	rm -f "$tmp/out/hello-1.upload.jsonl"
	cloud '{"throttle": {"PutSnapshotBlock": 5}, "throttle_burst": 0.05}'
	"$mkappliance" upload "$(image 1)" --region us-east-1 --name "Ctrl-C it" --parent none 2>"$tmp/log" &
	comes some_are_noted
	kill -INT $!
	wait $! || status=$?
	cloud '{"throttle": {}}'
	[ $status = 130 ] && grep -q -- "  mkappliance upload .* --name 'Ctrl-C it'" "$tmp/log" &&
		upload "$(image 1)" --name "Ctrl-C it" --parent none --json >"$tmp/c.json" && [ "$(field "$tmp/c.json" resumed_blocks)" -gt 0 ] &&
		identical "$(ami_of "$tmp/c.json")" 1
}
check "Ctrl-C: says the command that goes on, and it does" interrupted

# ---- signed: a fourth partition, and variables of the firmware ----
signed() {
	"$mkappliance" keygen "$tmp/keys" --quiet && "$mkappliance" uefi-vars "$tmp/keys" -o "$tmp/vars.aws" --format aws --quiet &&
		printf '[Sign]\nSecureBootKey=%s\nSecureBootCertificate=%s\nVerityKey=%s\nVerityCertificate=%s\n' \
			"$tmp/keys/db.key" "$tmp/keys/db.crt" "$tmp/keys/verity.key" "$tmp/keys/verity.crt" >>"$tmp/template/appliance.conf" &&
		"$mkappliance" build "$tmp/template" -o "$tmp/out" --version 4 --quiet &&
		[ "$(sfdisk --dump "$(image 4)" | grep -c 'start=')" = 4 ] &&
		upload "$(image 4)" --uefi-data "$tmp/vars.aws" --json >"$tmp/4.json" && identical "$(ami_of "$tmp/4.json")" 4
}
check "a signed image with four partitions comes back as it was built" signed

# ---- and it boots ----
boots() {
	verify "$(ami_of "$tmp/2.json")" 2 -o "$tmp/down-2.raw" --quiet && cp "$tmp/out/hello-2.manifest.json" "$tmp/down-2.manifest.json" &&
		same_bytes "$tmp/down-2.raw" "$(image 2)" && "$mkappliance" test "$tmp/down-2.raw"
}
if "$mkappliance" --help | grep -q '^  test '; then
	check "the image that was read back boots and passes its test" boots
else
	check_skip "the image that was read back boots" "built without libvirt"
fi
