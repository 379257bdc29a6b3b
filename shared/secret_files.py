"""Settings from files: `BULKHEAD_REDIS_URL_FILE=/run/…` names a file that holds the setting.

Passwords belong in files, which container engines and orchestrators mount, rather than in
variables, which every child process inherits and `docker inspect` shows.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings.exceptions import SettingsError

SUFFIX = "_FILE"


class FileSource(PydanticBaseSettingsSource):
    """Reads each setting whose variable is not set and, with `_FILE` behind it, names a file.

    White space around the content is dropped: editors and `echo` end a file with a line feed. An
    empty variable counts as not set.

    Args:
        settings_class: whose fields are read.
        prefix: of the variables, `BULKHEAD_` say.
    """

    def __init__(self, settings_class: type[BaseSettings], prefix: str) -> None:
        super().__init__(settings_class)
        self._prefix = prefix

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Read one setting; None if no file is named.

        Raises:
            SettingsError: the file cannot be read.
        """
        variable = f"{self._prefix}{field_name}".upper()
        name = variable + SUFFIX
        path = os.environ.get(name)
        if not path or os.environ.get(variable):  # a file that is not needed need not be there
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise SettingsError(f"{name}: cannot read {path}: {reason}") from error

    def __call__(self) -> dict[str, Any]:
        """Read all settings that are in files."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value}
