"""The component package as a Pulumi provider."""
