"""Intercepts every request before moto answers it: records its action, refuses what AWS refuses of its strings
(`string_validation.py`), and answers with an injected fault.

Each action is recorded once, so that the permissions a program needs can be read off. `fault_injection.py` has the
faults.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model

from sandbox.aws.fault_injection import FAULTS, INVISIBLE, SLOW, Faults
from sandbox.aws.string_validation import refusal

SLOW_SECONDS = 3.0
PREFIXES = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing"}  # of a service's actions in a policy
# EC2's error for a resource that it does not find yet, by prefix of its id.
UNSEEN = {
    "i": ("InvalidInstanceID.NotFound", "The instance ID '{id}' does not exist"),
    "igw": ("InvalidInternetGatewayID.NotFound", "The internetGateway ID '{id}' does not exist"),
    "rtb": ("InvalidRouteTableID.NotFound", "The routeTable ID '{id}' does not exist"),
    "sg": ("InvalidGroup.NotFound", "The security group '{id}' does not exist"),
    "sgr": ("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '{id}' does not exist"),
    "subnet": ("InvalidSubnetID.NotFound", "The subnet ID '{id}' does not exist"),
    "vol": ("InvalidVolume.NotFound", "The volume '{id}' does not exist."),
    "vpc": ("InvalidVpcID.NotFound", "The vpc ID '{id}' does not exist"),
}
ID = re.compile(rf"\b(?:{'|'.join(UNSEEN)})-[0-9a-f]{{8,17}}\b")
LOOKS = ("Describe", "CreateTags", "Attach", "Associate")  # what the real provider retries if it comes too early

Answer = tuple[int, dict[str, Any], Any]


class RequestInterceptor:
    """Answers a request, or lets moto answer. `actions` is the file of recorded actions, such as `ec2:RunInstances`."""

    def __init__(self, faults: Faults, actions: Path) -> None:
        self._faults = faults
        self._actions = actions
        self._recorded: set[str] = set()
        self._hidden: dict[str, int] = {}  # ids that are not found yet, and how many times more
        self._lock = threading.Lock()

    def answer(self, request: Any, moto: Callable[[], Answer]) -> Answer:
        action = request._get_action() or ""
        self._record(f"{PREFIXES.get(request.service_name, request.service_name)}:{action}")
        if refused := self._refused(request, action):
            return _error(request, *refused, 400)
        asked = _ids(str(request.querystring))
        unseen = self._unseen(asked) if action.startswith(LOOKS) else None
        if unseen is not None:
            code, message = UNSEEN[unseen.partition("-")[0]]
            return _error(request, code, message.format(id=unseen), 400)
        waiting = self._faults.take(action)
        if waiting is None or waiting.fault == SLOW:
            time.sleep(SLOW_SECONDS if waiting else 0)
            return moto()
        if waiting.fault == INVISIBLE:
            return self._hiding(moto(), asked, waiting.times)
        fault = FAULTS[waiting.fault]
        return _error(request, waiting.fault, fault.message, fault.status)

    def _refused(self, request: Any, action: str) -> tuple[str, str] | None:
        model = get_service_model(request.boto3_service_name)
        if action not in model.operation_names:
            return None
        return refusal(request.boto3_service_name, model.operation_model(action).input_shape, request._get_params())

    def _record(self, action: str) -> None:
        with self._lock:
            if action not in self._recorded:
                self._recorded.add(action)
                with self._actions.open("a") as file:
                    file.write(action + "\n")

    def _unseen(self, asked: Iterable[str]) -> str | None:
        with self._lock:
            found = next((id for id in asked if self._hidden.get(id, 0) > 0), None)
            if found is not None:
                self._hidden[found] -= 1
            return found

    def _hiding(self, answer: Answer, asked: Iterable[str], times: int) -> Answer:
        """Hides ids that are in the answer but not in the request, because the request created them."""
        status, _, body = answer
        if status == 200:
            text = body.decode() if isinstance(body, bytes) else str(body)
            with self._lock:
                self._hidden |= dict.fromkeys(set(_ids(text)) - set(asked), times)
        return answer


def _ids(text: str) -> list[str]:
    return list(dict.fromkeys(ID.findall(text)))


def _error(request: Any, code: str, message: str, status: int) -> Answer:
    """Moto derives the service, and so the format of the answer, from the exception's module."""
    kind = type("InjectedError", (ServiceException,), {"__module__": f"moto.{request.boto3_service_name}.exceptions"})
    _, headers, body = request.serialized(ActionResult(kind(code, message)))
    headers, body = request._enrich_response(request.response_headers | headers | {"status": status}, body)
    return status, headers, body


def install(interceptor: RequestInterceptor) -> None:
    """Makes it intercept every request to moto. Call it once per process."""
    original = BaseResponse.call_action

    def call_action(request: Any) -> Answer:
        answer: Answer = interceptor.answer(request, lambda: original(request))
        return answer

    setattr(BaseResponse, "call_action", call_action)  # noqa: B010 - mypy refuses to assign to a method
