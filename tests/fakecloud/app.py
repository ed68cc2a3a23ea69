# SPDX-License-Identifier: Apache-2.0
"""From a request to the service that answers it: faults, latency, identity, throttling, counters."""
import time
import traceback

import access
import autoscaling
import control
import ebs
import ec2
import elbv2
import http1
import metadata
import ssm
import sts
from answers import ApiError, error_answer, request_id
from faults import Faults
from fleet import Fleet
from machines import Machines

SERVICES = {"ebs": ebs, "ec2": ec2, "sts": sts, "ssm": ssm, "autoscaling": autoscaling, "elasticloadbalancing": elbv2}


class App:
    def __init__(self, world):
        self.world = world
        world.machines = Machines(world)
        world.fleet = Fleet(world)
        self.faults = Faults(world)
        self.services = {name: module.Service(world) for name, module in SERVICES.items()}
        self.metadata = metadata.Service(world)
        self.control = control.Service(world, self)
        self.open = 0

    def connected(self, change):
        with self.world.lock:
            self.open += change
            counters = self.world.counters
            counters["connections"] += change > 0
            counters["connections:peak"] = max(counters["connections:peak"], self.open)

    def bad_request(self, text):
        self.world.count("bad-request")
        self.note({"action": "-", "status": 400, "code": "BadRequest", "message": text})

    def note(self, entry):
        self.world.log.append({"time": round(time.time(), 3), **entry})

    def before_body(self, request, _connection):
        """Called with the head read. Names the action when the head tells it; returns the fault to come."""
        action = None
        if request.path.startswith("/snapshots"):
            action = ebs.action_of(request)
        elif "x-amz-target" in request.headers:
            action = request.headers["x-amz-target"].rpartition(".")[2]
        elif request.method == "GET" and request.path != "/":
            action = metadata.action_of(request)
        request.info["action"] = action
        request.info["start"] = time.monotonic()
        return self.faults.pick(action) if action else {}

    def answer(self, request, connection, fault):
        if request.path.startswith("/_fake/"):
            return self.control.answer(request)
        info = request.info
        if info["action"] is None:
            info["action"] = sts.query_action(request)
            fault = self.faults.pick(info["action"])
        self.delay(info["action"], fault)
        kind = fault.get("kind")
        if kind in ("stall", "close"):
            if kind == "stall":
                http1.stall(connection, fault.get("seconds", 3600))
            self.log(request, 0, kind)
            raise ConnectionError(kind)
        info["fault"] = kind
        service = "-"
        try:
            if kind == "error":
                service = access.guess_service(request)
                raise fault_error(fault)
            if metadata.serves(request):
                answer = self.metadata.answer(request)
            else:
                service, answer = self.serve(request)
        except ApiError as e:
            answer = error_answer(e, service if service != "-" else access.guess_service(request))
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            answer = error_answer(ApiError("InternalFailure", "the fake cloud failed: see its log", 500), service)
        answer.headers.setdefault("x-amzn-RequestId", request_id())
        answer.headers.setdefault("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.world.wall())))
        self.log(request, answer.status, answer.code)
        if kind == "hang":
            self.world.count("hung")
            http1.stall(connection, fault.get("seconds", 3600))
        if kind in ("late", "hang"):
            raise ConnectionError(kind)
        if kind == "cut":
            info["cut"] = len(answer.body) // 2
        return answer

    def serve(self, request):
        """Returns the service's name and its answer."""
        if sts.is_unsigned(request):
            return "sts", self.services["sts"].answer(request, None)
        caller = access.identify(self.world, request)
        request.info["key"], request.info["region"] = caller.key, caller.region
        service = self.services.get(caller.service)
        if service is None:
            raise ApiError("UnknownService", "no service '%s' in this cloud" % caller.service, 404)
        request.info["service"] = caller.service
        self.throttle(request.info["action"], caller.service)
        return caller.service, service.answer(request, caller)

    def throttle(self, action, service):
        rate = self.world.settings["throttle"].get(action)
        if rate and self.world.throttled(action, rate):
            self.world.count("throttled:" + action)
            if service == "ebs":
                raise ApiError("RequestThrottledException", "too many requests", 400, "ACCOUNT_THROTTLED")
            if service == "ec2":
                raise ApiError("RequestLimitExceeded", "Request limit exceeded.", 503)
            code = "ThrottlingException" if service == "ssm" else "Throttling"
            raise ApiError(code, "Rate exceeded", 400)

    def delay(self, action, fault):
        settings = self.world.settings
        wait = settings["latency"].get(action, settings["latency_ms"]) / 1000
        if fault.get("kind") == "delay":
            wait += fault.get("seconds", 1)
        if wait:
            time.sleep(wait)

    def log(self, request, status, code):
        info, counters, action = request.info, self.world.counters, request.info["action"]
        with self.world.lock:
            counters["action:" + action] += 1
            counters["body-bytes"] += len(request.body)
            if status == 0 or status >= 400:
                counters["failed:%s:%s" % (action, code or status)] += 1
        entry = {"action": action, "status": status, "code": code, "method": request.method, "target": request.target}
        for name in ("key", "region", "service", "fault"):
            if info.get(name):
                entry[name] = info[name]
        entry["headers"], entry["tls"] = request.headers, request.tls
        if len(request.body) < 65536 and action != "PutSnapshotBlock":
            entry["body"] = bytes(request.body).decode("utf-8", "replace")
        elif request.digest:
            entry["digest"] = request.digest.hex()
        if "canonical" in info:
            entry["canonical"] = info["canonical"]
        entry["ms"] = round((time.monotonic() - info["start"]) * 1000, 1)
        self.note(entry)


def fault_error(fault):
    headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
    return ApiError(fault.get("code", "InternalServerException"), fault.get("message", "ordered by a test"),
                    fault.get("status", 500), fault.get("reason"), headers)
