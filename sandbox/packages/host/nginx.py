"""nginx of a Chef server: the API over TLS, what add-ons put beside it, and the redirect from port 80.

Source: private-chef cookbook, recipes/nginx.rb, templates/default/nginx/.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

from .files import StandinError, directory, write

USER = "opscode"
RUN = """#!/bin/sh
exec 2>&1
exec chpst -P env TZ=UTC /opt/opscode/embedded/sbin/nginx -c {dir}/etc/nginx.conf
"""
FOLDERS = {
    "": 0o755,
    "ca": 0o750,
    "etc": 0o755,
    "etc/addon.d": 0o755,
    "etc/nginx.d": 0o755,
    "html": 0o755,
    "tmp": 0o750,
}
CONFIGURATION = """user {user} {user};
worker_processes 1;
pid /run/opscode-nginx.pid;
error_log /var/log/opscode/nginx/error.log;
daemon off;
events {{
  worker_connections 1024;
}}
http {{
  access_log /var/log/opscode/nginx/access.log;
  client_body_temp_path {dir}/tmp/client_body;
  proxy_temp_path {dir}/tmp/proxy;
  fastcgi_temp_path {dir}/tmp/fastcgi;
  scgi_temp_path {dir}/tmp/scgi;
  uwsgi_temp_path {dir}/tmp/uwsgi;
  server_names_hash_bucket_size 128;
  upstream opscode_erchef {{
    server 127.0.0.1:8000;
  }}
  include {dir}/etc/addon.d/*_upstreams.conf;
  server {{
    listen {non_ssl_port};
    server_name {server_name};
    return 301 https://$host$request_uri;
  }}
  include {dir}/etc/chef_https_lb.conf;
  include {dir}/etc/nginx.d/*.conf;
}}
"""
HTTPS = """server {{
  listen {ssl_port} ssl;
  server_name {server_name};
  ssl_certificate {ssl_certificate};
  ssl_certificate_key {ssl_certificate_key};
  ssl_protocols {ssl_protocols};
  client_max_body_size 250m;
  proxy_set_header Host $http_host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto https;
  proxy_connect_timeout 1;
  proxy_read_timeout 300;
  root {dir}/html;
  include {dir}/etc/addon.d/*_external.conf;
  location / {{
    proxy_pass http://opscode_erchef;
  }}
}}
"""


def configure(nginx: dict[str, Any]) -> bool:
    """Write everything; whether anything of it is new. A certificate is made unless the settings name one."""
    for folder, mode in FOLDERS.items():
        directory(f"{nginx['dir']}/{folder}", mode, USER, USER)
    directory("/var/log/opscode/nginx", 0o750, USER, USER)
    if not nginx.get("ssl_certificate"):
        place = f"{nginx['dir']}/ca/{nginx['server_name']}"
        nginx.update(ssl_certificate=f"{place}.crt", ssl_certificate_key=f"{place}.key")
        _certificate(nginx)
    values = {**nginx, "user": USER}
    files = {"nginx.conf": CONFIGURATION, "chef_https_lb.conf": HTTPS}
    new = [write(f"{nginx['dir']}/etc/{name}", text.format(**values), 0o644) for name, text in files.items()]
    return any(new)


def _certificate(nginx: dict[str, Any]) -> None:
    """Self-signed. An elliptic curve, where Chef server has RSA: it is made at once."""
    certificate, key, name = nginx["ssl_certificate"], nginx["ssl_certificate_key"], nginx["server_name"]
    if os.path.exists(certificate) and os.path.exists(key):
        return
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-days", "3650", "-subj", f"/O=YouCorp/CN={name}"[:64], "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", f"{key}.new", "-out", f"{certificate}.new"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StandinError(f"no certificate for {name}: {made.stderr.strip()}")
    for path in (key, certificate):
        os.chmod(f"{path}.new", 0o600)
        os.replace(f"{path}.new", path)
