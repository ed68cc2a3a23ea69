#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deploy to Auto Scaling groups, killed at each of its steps: the same command again ends where an undisturbed one ends.
# Takes: 40 s, waiting
. "$(dirname "$0")/functions.sh"
requires python3

python3 tests/integration/rollout_aws_killed.py "$mkappliance" "$tmp" || failed=1
