"""The commands of the apps, found by the entry points `hoego.commands` of pyproject.toml; loading one loads no app."""
