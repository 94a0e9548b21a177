"""Errors are real classes, one family each, and carry the published codes."""

from __future__ import annotations

import pickle

import pytest

import lakekey
from lakekey import _lakekey, errors


def test_every_published_code_has_a_class_and_every_class_a_code() -> None:
    classes = {code: errors.class_of(code) for code, _, _ in _lakekey.codes()}
    unknown = [code for code, kind in classes.items() if kind is errors.LakekeyError]
    assert not unknown, f"codes without a class: {unknown}"
    concrete = {kind for name in errors.__all__ if (kind := getattr(errors, name)) is not errors.LakekeyError}
    assert concrete == set(classes.values())
    assert set(errors.SINGLES) <= set(classes)
    assert all(name in lakekey.__all__ for name in errors.__all__)


def test_codes_of_a_later_release_are_still_errors_of_the_family() -> None:
    assert errors.class_of(1199) is errors.AuthError
    assert errors.class_of(4711) is errors.LakekeyError


def test_a_timeout_is_also_pythons_own() -> None:
    assert issubclass(lakekey.LakekeyTimeout, TimeoutError)
    assert all(issubclass(getattr(errors, name), Exception) for name in errors.__all__)


def test_an_error_survives_pickling() -> None:
    error = errors.from_native(1102, "AUTH_DENIED", "refused", "log in", 401, "req-1", False, ["because"])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is lakekey.AuthError
    assert (again.code, again.slug, again.hint, again.http_status, again.request_id) == (
        1102, "AUTH_DENIED", "log in", 401, "req-1",
    )  # fmt: skip
    assert again.retryable is False and again.causes == ("because",)
    assert str(again) == str(error) == "refused. log in\ncaused by: because"


def test_a_panic_is_an_ordinary_exception() -> None:
    with pytest.raises(lakekey.InternalError) as caught:
        _lakekey._panic()
    assert caught.value.slug == "INTERNAL_PANIC"
    assert "asked for" in str(caught.value)
    assert isinstance(caught.value, Exception)
