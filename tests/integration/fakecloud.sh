#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The fake cloud itself, driven by AWS's own programs: Debian's aws and python3-botocore, and a newer botocore of PyPI for what these do not
# know yet. Whatever they send must be accepted and what it answers must be readable to them; each rule has one request that is refused.
. "$(dirname "$0")/functions.sh"
. tests/integration/cloud.sh
requires /usr/bin/aws awscli
requires openssl
requires curl
/usr/bin/python3 -c 'import botocore' 2>/dev/null || skip "python3-botocore is not installed (apt-get install python3-botocore)"
newer=build/oracles/bin/python

cloud_start || exit
export CLOUD_URL=$cloud_url PYTHONDONTWRITEBYTECODE=1

# A file of cases that prints its own "ok NAME" lines.
cases() {
	"$@" || failed=1
}
cases /usr/bin/python3 tests/integration/fakecloud_ebs.py "$cloud_state"
