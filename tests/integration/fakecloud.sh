#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The fake cloud itself, driven by AWS's own programs: Debian's aws and python3-botocore, and a newer botocore of PyPI for what these do not
# know yet. Whatever they send must be accepted and what it answers must be readable to them; each rule has one request that is refused.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
. tests/integration/cloud.sh
requires /usr/bin/aws awscli
requires openssl
requires curl
/usr/bin/python3 -c 'import botocore' 2>/dev/null || skip "python3-botocore is not installed (apt-get install python3-botocore)"
newer=build/oracles/bin/python

cloud_start '{}' || exit
export CLOUD_URL=$cloud_url CLOUD_TLS_URL=$cloud_tls_url PYTHONDONTWRITEBYTECODE=1

# A file of cases that prints its own "ok NAME" lines.
cases() {
	"$@" || failed=1
}
cases /usr/bin/python3 tests/integration/fakecloud_ebs.py "$cloud_state"
cases /usr/bin/python3 tests/integration/fakecloud_ec2.py
cases /usr/bin/python3 tests/integration/fakecloud_faults.py before "$tmp/notes"
cloud_kill
# Not by check, whose subshell would keep the server's number to itself.
if cloud_start '{}'; then
	echo "ok it starts again on what it left"
else
	echo "not ok it starts again on what it left"
	exit 1
fi
cases /usr/bin/python3 tests/integration/fakecloud_faults.py after "$tmp/notes"

# Debian's aws itself: commands, waiters, TLS. Its own signatures are those that the comparison below would make: a control of it.
cloud '{"scale": 0.002}'
cases /usr/bin/python3 tests/integration/fakecloud_cli.py "$cloud_ca" "$tmp"
check "aws as a program" aws_cli sts get-caller-identity
check "what aws signed is what botocore signs" /usr/bin/python3 tests/integration/fakecloud_signatures.py aws-cli 30

# Over time, by a botocore that knows roll-backs.
if [ -x "$newer" ] && "$newer" -c 'import botocore' 2>/dev/null; then
	cases "$newer" tests/integration/fakecloud_fleet.py
else
	check_skip "Auto Scaling over time" "no botocore in build/oracles (scripts/setup test)"
fi
