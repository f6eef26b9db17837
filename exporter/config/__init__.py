"""The configuration: strict YAML to frozen models, every problem at once and with its line."""
