"""The names that chef-server.rb knows. Pure.

The file is Ruby, so an unknown name may be one of Ruby's own methods (`system 'id'`). Therefore only these names are
written into it; everything else can be in a file on the servers (`chefServer.include`).

Source: core@12.2.0 to 15.0.35, libraries/private_chef.rb, as in docs/chef.md.
"""

from __future__ import annotations

VALUES = {
    *("default_orgname", "deprecated_solr_indexing", "fips", "from_email", "insecure_addon_compat"),
    *("ip_version", "notification_email", "use_chef_backend"),
}
TABLES = {
    *("addons", "backup", "bookshelf", "bootstrap", "dark_launch", "data_collector", "drbd", "elasticsearch"),
    *("estatsd", "external_rabbitmq", "folsom_graphite", "ha", "haproxy", "keepalived", "lb", "lb_internal"),
    *("ldap", "license", "log_retention", "log_rotation", "nginx", "oc_bifrost", "oc_chef_authz"),
    *("oc_chef_pedant", "oc_id", "opensearch", "opscode_chef_mover", "opscode_erchef", "opscode_expander"),
    *("opscode_solr4", "postgresql", "profiles", "rabbitmq", "redis_lb", "required_recipe", "user"),
}
# The stack writes these itself.
OWN = {"topology", "api_fqdn", "server", "servers", "backend_vip", "backend_vips"}
OWN_OF_FAILOVER = ("provider", "ebs_volume_id", "ebs_device")
FILE = "/etc/opscode/chef-server.rb"
