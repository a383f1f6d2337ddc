"""The AWS plugin's connection to the API: clients from its configuration, tags, and errors in one sentence.

It only connects to endpoints in the configuration, so this stand-in cannot reach a real cloud by mistake.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.plugins.aws.retries import MAX_RETRIES, give_up
from sandbox.plugins.framework.table import Call, Input, PartialError, PluginError
from sandbox.plugins.framework.values import Values

POLL_SECONDS = 0.2
DEPENDENCY_SECONDS = 10.0  # the real provider tries for 15 minutes, which would only hide a wrong order on a sandbox
ENDPOINT_SERVICES = ("ec2", "sts", "iam", "elbv2", "route53")

CONFIG: Mapping[str, Input] = {
    "region": Input(str),
    "accessKey": Input(str, secret=True),
    "secretKey": Input(str, secret=True),
    "token": Input(str, secret=True),
    "endpoints": Input(list, each=Input(dict, fields={name: Input(str) for name in ENDPOINT_SERVICES})),
    "allowedAccountIds": Input(list, each=Input(str)),
    "forbiddenAccountIds": Input(list, each=Input(str)),
    "defaultTags": Input(dict, fields={"tags": Input(dict, each=Input(str))}),
    "maxRetries": Input(int),
    "s3UsePathStyle": Input(bool),
    "skipCredentialsValidation": Input(bool),
    "skipMetadataApiCheck": Input(bool),
    "skipRegionValidation": Input(bool),
    "skipRequestingAccountId": Input(bool),
}


class Api:
    """The clients of one provider configuration, created at their first use, because boto3 takes half a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._config: Values = {}
        self.region = ""
        self.account = ""

    def configure(self, config: Values) -> None:
        """Raises PluginError for what the real provider also refuses: no region, no credentials, a wrong account."""
        self._config, self._clients = config, {}
        self.region = _given(config, "region", "AWS_REGION", "AWS_DEFAULT_REGION")
        if not self.region:
            raise PluginError("no AWS region: set it with `pulumi config set aws:region us-east-1`")
        if not _given(config, "accessKey", "AWS_ACCESS_KEY_ID"):
            raise PluginError(
                "no AWS credentials: set aws:accessKey and aws:secretKey, or AWS_ACCESS_KEY_ID and its secret"
            )
        if not config.get("skipRegionValidation"):
            self._validate_region()
        wanted = config.get("allowedAccountIds") or config.get("forbiddenAccountIds")
        if wanted or not (config.get("skipRequestingAccountId") and config.get("skipCredentialsValidation")):
            self._identify()

    def _validate_region(self) -> None:
        import botocore.session  # type: ignore[import-untyped] # noqa: PLC0415 - no types; half a second

        if self.region not in botocore.session.get_session().get_available_regions("ec2"):
            raise PluginError(f"invalid AWS Region: {self.region}")

    def _identify(self) -> None:
        identity = str(self.client("sts").get_caller_identity()["Account"])
        allowed, forbidden = self._config.get("allowedAccountIds"), self._config.get("forbiddenAccountIds") or []
        if (allowed and identity not in allowed) or identity in forbidden:
            raise PluginError(f"AWS account ID not allowed: {identity}")
        self.account = "" if self._config.get("skipRequestingAccountId") else identity

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._connect(service)
            return self._clients[service]

    def _connect(self, service: str) -> Any:
        from boto3.session import Session  # type: ignore[import-untyped] # noqa: PLC0415 - no types; half a second
        from botocore.config import Config  # type: ignore[import-untyped] # noqa: PLC0415 - no types; half a second

        urls = [each[service] for each in self._config.get("endpoints") or [] if each.get(service)]
        if not urls:
            raise PluginError(
                f"no endpoint for {service} in aws:endpoints: this stand-in for pulumi-aws talks to no other cloud; "
                "install the official plugin for a real one"
            )
        session = Session(
            aws_access_key_id=_given(self._config, "accessKey", "AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=_given(self._config, "secretKey", "AWS_SECRET_ACCESS_KEY"),
            aws_session_token=_given(self._config, "token", "AWS_SESSION_TOKEN") or None,
            region_name=self.region,
        )
        attempts = self._config.get("maxRetries", MAX_RETRIES) + 1
        options = Config(max_pool_connections=64, retries={"mode": "standard", "total_max_attempts": attempts})
        client = session.client(service, endpoint_url=urls[0], config=options)
        client.meta.events.register_first(f"needs-retry.{client.meta.service_model.service_id.hyphenize()}", give_up)
        return client

    def arn(self, resource: str) -> str:
        return f"arn:aws:ec2:{self.region}:{self.account}:{resource}"


def _given(config: Values, key: str, *variables: str) -> str:
    return str(config.get(key) or next((os.environ[name] for name in variables if os.environ.get(name)), ""))


API = Api()


# Errors


def code_of(error: Exception) -> str:
    """The API's error code, "" if it is not an error of the API."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def is_gone(error: Exception) -> bool:
    return code_of(error).endswith("NotFound") or code_of(error) == "NoSuchEntity"


def explain(error: Exception) -> str | None:
    """One sentence in the real provider's words, for the operator; None if it is not an error of the API."""
    if code_of(error):
        response: Any = getattr(error, "response")  # noqa: B009 - an exception has none by type
        about = response.get("ResponseMetadata") or {}
        return (
            f"operation error {about.get('Service')}: {getattr(error, 'operation_name', '')}, "
            f"https response error StatusCode: {about.get('HTTPStatusCode')}, RequestID: {about.get('RequestId')}, "
            f"api error {code_of(error)}: {response['Error'].get('Message', '')}"
        )
    if type(error).__name__ in ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError"):
        return f"the AWS API does not answer: {error} (is the sandbox started?)"
    return None


@contextmanager
def kept(identity: str, what: str) -> Iterator[None]:
    """A failure inside the block happens after the resource was created or changed: the engine must keep its id."""
    try:
        yield
    except PartialError:
        raise
    except Exception as error:
        message = str(error) if isinstance(error, PluginError) else explain(error)
        if message is None:
            raise
        raise PartialError(f"{what} ({identity}): {message}", identity, {}) from error


def removed(call: Call, remove: Callable[[], object]) -> None:
    """Deletes something: succeeds if it is already gone, and retries for a while if something still depends on it."""
    deadline = time.monotonic() + (call.timeout or DEPENDENCY_SECONDS)
    while True:
        try:
            remove()
            return
        except Exception as error:
            if is_gone(error):
                return
            if code_of(error) != "DependencyViolation" or time.monotonic() > deadline:
                raise
        call.wait(POLL_SECONDS)


# Tags


def default_tags(config: Values) -> dict[str, str]:
    return dict((config.get("defaultTags") or {}).get("tags") or {})


def wanted_tags(call: Call) -> dict[str, str]:
    """All tags of the resource: the provider's default ones and its own."""
    return default_tags(call.config) | (call.inputs.get("tags") or {})


def specified(call: Call, kind: str) -> dict[str, Any]:
    """The argument that tags a new resource at its creation."""
    tags = listed(wanted_tags(call))
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def retag(call: Call, identity: str) -> None:
    """Gives an existing resource the wanted tags, and removes those that this program gave it before."""
    new, old = wanted_tags(call), dict(call.state.get("tagsAll") or {})
    dropped = [{"Key": key} for key in sorted(old.keys() - new.keys())]
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    if dropped:
        API.ec2.delete_tags(Resources=[identity], Tags=dropped)
    if changed:
        API.ec2.create_tags(Resources=[identity], Tags=listed(changed))


def found_tags(call: Call, tags: list[dict[str, str]] | None) -> Values:
    """`tags` and `tagsAll` from the API; default tags only count as the resource's own if it names them itself."""
    everything = {tag["Key"]: tag["Value"] for tag in tags or [] if not tag["Key"].startswith("aws:")}
    given, default = call.inputs.get("tags"), default_tags(call.config)
    own = {key: value for key, value in everything.items() if default.get(key) != value or key in (given or {})}
    return {"tagsAll": everything} | ({"tags": own} if own or given is not None else {})
