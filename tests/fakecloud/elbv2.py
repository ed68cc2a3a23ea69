# SPDX-License-Identifier: Apache-2.0
"""Elastic Load Balancing v2 (2015-12-01): target groups, their health, and as much of balancers and listeners as makes a group in use."""
import re
import secrets
import time

import access
import query
from answers import ApiError, iso, query_answer

VERSION = "2015-12-01"
NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
TARGETS = [{"Id!": "str", "Port": "int", "AvailabilityZone": "str"}]
TAGS = [{"Key!": "str", "Value": "str"}]
PAGE = {"Marker": "str", "PageSize": "int"}
SHAPES = {
    "CreateTargetGroup": {
        "Name!": "str", "Protocol": "str", "ProtocolVersion": "str", "Port": "int", "VpcId": "str", "HealthCheckProtocol": "str",
        "HealthCheckPort": "str", "HealthCheckEnabled": "bool", "HealthCheckPath": "str", "HealthCheckIntervalSeconds": "int",
        "HealthCheckTimeoutSeconds": "int", "HealthyThresholdCount": "int", "UnhealthyThresholdCount": "int",
        "Matcher": {"HttpCode": "str"}, "TargetType": "str", "Tags": TAGS, "IpAddressType": "str"},
    "DescribeTargetGroups": {"LoadBalancerArn": "str", "TargetGroupArns": ["str"], "Names": ["str"], **PAGE},
    "DeleteTargetGroup": {"TargetGroupArn!": "str"},
    "DescribeTargetGroupAttributes": {"TargetGroupArn!": "str"},
    "DescribeTargetHealth": {"TargetGroupArn!": "str", "Targets": TARGETS, "Include": ["str"]},
    "RegisterTargets": {"TargetGroupArn!": "str", "Targets!": TARGETS},
    "DeregisterTargets": {"TargetGroupArn!": "str", "Targets!": TARGETS},
    "CreateLoadBalancer": {"Name!": "str", "Subnets": ["str"], "SecurityGroups": ["str"], "Scheme": "str", "Tags": TAGS, "Type": "str",
                           "IpAddressType": "str"},
    "DescribeLoadBalancers": {"LoadBalancerArns": ["str"], "Names": ["str"], **PAGE},
    "CreateListener": {"LoadBalancerArn!": "str", "Protocol": "str", "Port": "int", "Tags": TAGS, "DefaultActions!": [
        {"Type!": "str", "TargetGroupArn": "str", "Order": "int", "ForwardConfig": {"TargetGroups": [
            {"TargetGroupArn": "str", "Weight": "int"}]}}]},
    "DescribeListeners": {"LoadBalancerArn": "str", "ListenerArns": ["str"], **PAGE},
    "DescribeTags": {"ResourceArns!": ["str"]},
    "AddTags": {"ResourceArns!": ["str"], "Tags!": TAGS},
}


class Service:
    def __init__(self, world):
        self.world, self.fleet = world, world.fleet

    def answer(self, request, caller):
        action, parameters = query.parse(query.fields(request), SHAPES, VERSION, True)
        with self.world.lock:
            self.fleet.advance()
            return query_answer(action, getattr(self, action)(caller, parameters), NAMESPACE)

    def allow(self, caller, action, arn="*"):
        access.authorize(caller, "elasticloadbalancing:" + action, arn, self.world.store.get("tags", arn))

    def own(self, caller, kind):
        return [o for o in self.world.store.all(kind) if o["region"] == caller.region and o["owner"] == caller.account]

    def find(self, caller, arn, action):
        group = self.world.store.get("target-groups", arn)
        self.allow(caller, action, arn if group else "*")
        if group is None or group["region"] != caller.region or group["owner"] != caller.account:
            raise ApiError("TargetGroupNotFound", "One or more target groups not found")
        return group

    def page(self, rows, parameters):
        limit, at = parameters.get("PageSize", 400), parameters.get("Marker", "0")
        if not 1 <= limit <= 400 or not at.isdigit():
            raise ApiError("ValidationError", "PageSize is 1 to 400")
        at = int(at)
        return rows[at:at + limit], str(at + limit) if len(rows) > at + limit else None

    def new_arn(self, caller, rest):
        return self.world.arn("elasticloadbalancing", caller.region, caller.account, "%s/%s" % (rest, secrets.token_hex(8)))

    def check_name(self, name):
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", name):
            raise ApiError("ValidationError", "the name '%s' is not valid" % name)

    def CreateTargetGroup(self, caller, parameters):
        self.allow(caller, "CreateTargetGroup")
        self.check_name(parameters["Name"])
        if any(g["name"] == parameters["Name"] for g in self.own(caller, "target-groups")):
            raise ApiError("DuplicateTargetGroupName", "A target group with the same name '%s' exists" % parameters["Name"])
        protocol, port = parameters.get("Protocol", "HTTP"), parameters.get("Port")
        if port is None or not 1 <= port <= 65535 or protocol not in ("HTTP", "HTTPS", "TCP", "TLS") or "VpcId" not in parameters:
            raise ApiError("ValidationError", "a target group needs Protocol, Port and VpcId")
        group = {
            "arn": self.new_arn(caller, "targetgroup/" + parameters["Name"]), "name": parameters["Name"], "region": caller.region,
            "owner": caller.account, "protocol": protocol, "port": port, "vpc": parameters["VpcId"], "targets": {}, "listeners": [],
            "path": parameters.get("HealthCheckPath", "/"), "matcher": parameters.get("Matcher", {}).get("HttpCode", "200"),
            "check_port": self.check_port(parameters.get("HealthCheckPort", "traffic-port")),
            "type": parameters.get("TargetType", "instance"), "checks": {
                "interval": parameters.get("HealthCheckIntervalSeconds", 30), "timeout": parameters.get("HealthCheckTimeoutSeconds", 5),
                "healthy": parameters.get("HealthyThresholdCount", 5), "unhealthy": parameters.get("UnhealthyThresholdCount", 2)},
        }
        self.world.store.save("target-groups", group["arn"], group)
        if parameters.get("Tags"):
            self.world.store.save("tags", group["arn"], {t["Key"]: t.get("Value", "") for t in parameters["Tags"]})
        return {"TargetGroups": [self.row(group)]}

    def check_port(self, text):
        """0: the target's own."""
        if text == "traffic-port":
            return 0
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            raise ApiError("ValidationError", "the health check port '%s' is not valid" % text)
        return int(text)

    def row(self, group):
        listeners = [self.world.store.get("listeners", arn) for arn in group["listeners"]]
        checks = group["checks"]
        return {
            "TargetGroupArn": group["arn"], "TargetGroupName": group["name"], "Protocol": group["protocol"], "Port": group["port"],
            "VpcId": group["vpc"], "HealthCheckProtocol": group["protocol"], "HealthCheckEnabled": True,
            "HealthCheckPort": str(group.get("check_port") or "traffic-port"), "HealthCheckIntervalSeconds": checks["interval"],
            "HealthCheckTimeoutSeconds": checks["timeout"], "HealthyThresholdCount": checks["healthy"],
            "UnhealthyThresholdCount": checks["unhealthy"], "HealthCheckPath": group["path"],
            "Matcher": {"HttpCode": group.get("matcher", "200")},
            "LoadBalancerArns": sorted({x["balancer"] for x in listeners}), "TargetType": group["type"], "ProtocolVersion": "HTTP1",
        }

    def DescribeTargetGroups(self, caller, parameters):
        self.allow(caller, "DescribeTargetGroups")
        found = self.own(caller, "target-groups")
        for member, key in (("TargetGroupArns", "arn"), ("Names", "name")):
            for wanted in parameters.get(member, []):
                if wanted not in [g[key] for g in found]:
                    raise ApiError("TargetGroupNotFound", "One or more target groups not found")
            if parameters.get(member):
                found = [g for g in found if g[key] in parameters[member]]
        if "LoadBalancerArn" in parameters:
            found = [g for g in found if parameters["LoadBalancerArn"] in self.row(g)["LoadBalancerArns"]]
        page, marker = self.page(sorted(found, key=lambda g: g["name"]), parameters)
        return {"TargetGroups": [self.row(g) for g in page], "NextMarker": marker}

    def DeleteTargetGroup(self, caller, parameters):
        group = self.find(caller, parameters["TargetGroupArn"], "DeleteTargetGroup")
        if group["listeners"]:
            raise ApiError("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule" % group["arn"])
        self.world.store.delete("target-groups", group["arn"])
        return {}

    def DescribeTargetGroupAttributes(self, caller, parameters):
        self.find(caller, parameters["TargetGroupArn"], "DescribeTargetGroupAttributes")
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": str(self.world.settings["drain_s"])},
                               {"Key": "slow_start.duration_seconds", "Value": "0"}]}

    def DescribeTargetHealth(self, caller, parameters):
        group = self.find(caller, parameters["TargetGroupArn"], "DescribeTargetHealth")
        self.fleet.drop_drained(group["arn"], time.time())
        wanted = [t["Id"] for t in parameters.get("Targets", [])] or sorted(group["targets"])
        rows, now = [], time.time()
        for key in wanted:
            state, reason, description = self.fleet.target_health(group["arn"], key, now)
            port = group["targets"].get(key, {"port": group["port"]})["port"]
            rows.append({"Target": {"Id": key, "Port": port}, "HealthCheckPort": str(group.get("check_port") or port),
                         "TargetHealth": {"State": state, "Reason": reason, "Description": description}})
        return {"TargetHealthDescriptions": rows}

    def targets(self, caller, parameters):
        for target in parameters["Targets"]:
            instance = self.world.store.get("instances", target["Id"])
            if instance is None or instance["region"] != caller.region or instance["state"] not in ("pending", "running"):
                raise ApiError("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'" % target["Id"])
            yield target

    def RegisterTargets(self, caller, parameters):
        group = self.find(caller, parameters["TargetGroupArn"], "RegisterTargets")
        for target in list(self.targets(caller, parameters)):
            if target["Id"] not in group["targets"] or group["targets"][target["Id"]]["draining"] is not None:
                self.fleet.register(group["arn"], target["Id"], time.time(), target.get("Port"))
        return {}

    def DeregisterTargets(self, caller, parameters):
        group = self.find(caller, parameters["TargetGroupArn"], "DeregisterTargets")
        for target in parameters["Targets"]:
            self.fleet.deregister(group["arn"], target["Id"], time.time())
        return {}

    # Balancers: only what makes a target group in use
    def CreateLoadBalancer(self, caller, parameters):
        self.allow(caller, "CreateLoadBalancer")
        self.check_name(parameters["Name"])
        if any(b["name"] == parameters["Name"] for b in self.own(caller, "balancers")):
            raise ApiError("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists" % parameters["Name"])
        balancer = {"arn": self.new_arn(caller, "loadbalancer/app/" + parameters["Name"]), "name": parameters["Name"],
                    "region": caller.region, "owner": caller.account, "created": time.time(), "subnets": parameters.get("Subnets", []),
                    "type": parameters.get("Type", "application"), "scheme": parameters.get("Scheme", "internet-facing")}
        self.world.store.save("balancers", balancer["arn"], balancer)
        return {"LoadBalancers": [self.balancer_row(balancer)]}

    def balancer_row(self, b):
        name = "127.0.0.1" if self.world.machines.are_on() else "%s-1.%s.elb.amazonaws.com" % (b["name"], b["region"])
        return {"LoadBalancerArn": b["arn"], "DNSName": name, "Scheme": b["scheme"],
                "CreatedTime": iso(b["created"]), "LoadBalancerName": b["name"], "VpcId": "vpc-0fake", "State": {"Code": "active"},
                "Type": b["type"], "AvailabilityZones": [{"SubnetId": s, "ZoneName": b["region"] + s[-1]} for s in b["subnets"]],
                "IpAddressType": "ipv4"}

    def DescribeLoadBalancers(self, caller, parameters):
        self.allow(caller, "DescribeLoadBalancers")
        found = self.own(caller, "balancers")
        for member, key in (("LoadBalancerArns", "arn"), ("Names", "name")):
            for wanted in parameters.get(member, []):
                if wanted not in [b[key] for b in found]:
                    raise ApiError("LoadBalancerNotFound", "One or more load balancers not found")
            if parameters.get(member):
                found = [b for b in found if b[key] in parameters[member]]
        page, marker = self.page(found, parameters)
        return {"LoadBalancers": [self.balancer_row(b) for b in page], "NextMarker": marker}

    def CreateListener(self, caller, parameters):
        self.allow(caller, "CreateListener")
        balancer = self.world.store.get("balancers", parameters["LoadBalancerArn"])
        if balancer is None:
            raise ApiError("LoadBalancerNotFound", "One or more load balancers not found")
        arn = self.new_arn(caller, "listener/app/%s/%s" % (balancer["name"], balancer["arn"].rpartition("/")[2]))
        groups = []
        for action in parameters["DefaultActions"]:
            groups += [action["TargetGroupArn"]] if "TargetGroupArn" in action else []
            groups += [g["TargetGroupArn"] for g in action.get("ForwardConfig", {}).get("TargetGroups", [])]
        listener = {"arn": arn, "balancer": balancer["arn"], "region": caller.region, "owner": caller.account, "groups": groups,
                    "port": parameters.get("Port", 80), "protocol": parameters.get("Protocol", "HTTP")}
        for group_arn in groups:
            group = self.find(caller, group_arn, "CreateListener")
            group["listeners"].append(arn)
            self.world.store.save("target-groups", group_arn, group)
        self.world.store.save("listeners", arn, listener)
        return {"Listeners": [self.listener_row(listener)]}

    def listener_row(self, x):
        return {"ListenerArn": x["arn"], "LoadBalancerArn": x["balancer"], "Port": x["port"], "Protocol": x["protocol"],
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": g} for g in x["groups"]]}

    def DescribeListeners(self, caller, parameters):
        self.allow(caller, "DescribeListeners")
        found = [x for x in self.own(caller, "listeners") if parameters.get("LoadBalancerArn", x["balancer"]) == x["balancer"]]
        page, marker = self.page(found, parameters)
        return {"Listeners": [self.listener_row(x) for x in page], "NextMarker": marker}

    def DescribeTags(self, caller, parameters):
        self.allow(caller, "DescribeTags")
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": [{"Key": k, "Value": v} for k, v in (
            self.world.store.get("tags", arn) or {}).items()]} for arn in parameters["ResourceArns"]]}

    def AddTags(self, caller, parameters):
        for arn in parameters["ResourceArns"]:
            self.find(caller, arn, "AddTags")
            new = {t["Key"]: t.get("Value", "") for t in parameters["Tags"]}
            self.world.store.save("tags", arn, {**(self.world.store.get("tags", arn) or {}), **new})
        return {}
