# SPDX-License-Identifier: Apache-2.0
"""Who AWS's own library takes us for: the ARN that STS says, or "none" when it finds no credentials, "error" when it finds what does not work.

    botocore_identity.py ENDPOINT [PROFILE]

The endpoint takes the place of STS and SSO; everything else comes from the environment and the files, as for a program of anybody's."""
import sys

import botocore.exceptions
import botocore.session

endpoint = sys.argv[1]
session = botocore.session.Session(profile=sys.argv[2] if len(sys.argv) > 2 else None)
create_client = session.create_client


def redirected(service, *args, **kwargs):
    kwargs["endpoint_url"] = endpoint
    return create_client(service, *args, **kwargs)


session.create_client = redirected
try:
    if session.get_credentials() is None:
        print("none")
    else:
        print(session.create_client("sts").get_caller_identity()["Arn"])
except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as e:
    print("error")
    print(e, file=sys.stderr)
