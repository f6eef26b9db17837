"""What vendors' settings have in common beyond the model of a target."""

from __future__ import annotations

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from exporter.config.problems import wrong


def in_one_message(words: str) -> WrapValidator:
    """Has a union of words and lists say `words`, instead of what each of its branches lacks."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise wrong(words) from None

    return WrapValidator(validate)
