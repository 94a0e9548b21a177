"""Messages: objects over the JSON that the service sent.

A field is converted when it is first asked for. A list of ten thousand branches would otherwise cost its conversion even
if only names are read. What is not known stays in the JSON and goes back with it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[type], type]:
        return lambda cls: cls


class OpenEnum(str, Enum):
    """An enum whose unknown values are plain texts."""

    def __str__(self) -> str:
        return str(self.value)


class Kind:
    """How a field of the JSON becomes a value, and back."""

    def decode(self, wire: Any) -> Any:
        return wire

    def encode(self, value: Any) -> Any:
        return value


class _Int(Kind):
    def decode(self, wire: Any) -> Any:
        return int(wire)


class _Timestamp(Kind):
    _form = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")

    def decode(self, wire: Any) -> Any:
        parts = self._form.fullmatch(wire)
        if parts is None:
            raise ValueError(f"{wire!r} is no RFC 3339 timestamp")
        day, time, fraction, zone = parts.groups()
        micros = ((fraction or "") + "000000")[:6]
        return datetime.fromisoformat(f"{day}T{time}.{micros}{'+00:00' if zone in 'Zz' else zone}")

    def encode(self, value: Any) -> Any:
        if not isinstance(value, datetime):
            return value
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; write datetime(..., tzinfo=timezone.utc)")
        return value.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


class _Duration(Kind):
    def decode(self, wire: Any) -> Any:
        if not re.fullmatch(r"-?\d+(\.\d+)?s", wire):
            raise ValueError(f"{wire!r} is no duration such as '600s'")
        return timedelta(seconds=float(wire[:-1]))

    def encode(self, value: Any) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = timedelta(seconds=value)
        if isinstance(value, timedelta):
            whole, micros = divmod(value // timedelta(microseconds=1), 1_000_000)
            return f"{whole}.{micros:06}".rstrip("0") + "s" if micros else f"{whole}s"
        return value


class Named(Kind):
    """A message or an enum."""

    def __init__(self, of: type) -> None:
        self.of = of

    def decode(self, wire: Any) -> Any:
        if issubclass(self.of, Message):
            return self.of.from_dict(wire)
        try:
            return self.of(wire)  # type: ignore[call-arg]
        except ValueError:
            return wire

    def encode(self, value: Any) -> Any:
        if isinstance(value, Message):
            return value.as_dict()
        return value.value if isinstance(value, Enum) else value


class Many(Kind):
    """A list of them."""

    def __init__(self, of: Kind) -> None:
        self.of = of

    def decode(self, wire: Any) -> Any:
        return [self.of.decode(item) for item in wire]

    def encode(self, value: Any) -> Any:
        return [self.of.encode(item) for item in value]


class Secret(Kind):
    """A text that is not shown."""


PLAIN = Kind()
INT = _Int()
TIMESTAMP = _Timestamp()
DURATION = _Duration()
SECRET = Secret()


class _Field:
    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.kind = kind

    def __get__(self, message: Message | None, of: type) -> Any:
        if message is None:
            return self
        got = message._got
        if self.name in got:
            return got[self.name]
        wire = message._wire.get(self.name)
        if wire is None:
            return None
        try:
            value = self.kind.decode(wire)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{of.__name__}.{self.name}: {error}") from error
        # What can be changed in place has to be the same object at the next look.
        if isinstance(value, (Message, list, dict)):
            got[self.name] = value
        return value

    def __set__(self, message: Message, value: Any) -> None:
        message._got[self.name] = value


class _Small(type):
    """Gives no message a ``__dict__``, so that a list of thousands stays small."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Small:
        body.setdefault("__slots__", ())
        return super().__new__(cls, name, bases, body)


@dataclass_transform(kw_only_default=True, eq_default=True)
class Message(metaclass=_Small):
    """A message of the API. Every field may be absent, which is ``None``."""

    __slots__ = ("_got", "_wire")

    _fields: ClassVar[dict[str, Kind]] = {}
    _kinds: ClassVar[dict[str, Kind]] = {}
    _wire: dict[str, Any]
    _got: dict[str, Any]

    def __init_subclass__(cls) -> None:
        names = [name for name in cls.__annotations__ if not name.startswith("_")]
        cls._fields = {name: cls._kinds.get(name, PLAIN) for name in names}
        for name, kind in cls._fields.items():
            setattr(cls, name, _Field(name, kind))

    def __init__(self, **fields: Any) -> None:
        self._wire = {}
        self._got = {}
        for name, value in fields.items():
            if name not in self._fields:
                raise TypeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(self._fields)}")
            if value is not None:
                self._got[name] = value

    @classmethod
    def from_dict(cls, wire: dict[str, Any]) -> Self:
        """Takes over the JSON of the API."""
        if not isinstance(wire, dict):
            raise ValueError(f"{cls.__name__} is a JSON object, not {wire!r}")
        message = cls.__new__(cls)
        message._wire = wire
        message._got = {}
        return message

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the API, with what this version does not know."""
        wire = dict(self._wire)
        for name, value in self._got.items():
            if value is None:
                wire.pop(name, None)
            else:
                wire[name] = self._fields[name].encode(value)
        return wire

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Message)
        return self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = []
        for name, value in self.as_dict().items():
            kind = self._fields.get(name)
            if isinstance(kind, Secret):
                shown.append(f"{name}='***'")
            elif isinstance(kind, (Named, Many)):
                shown.append(f"{name}={getattr(self, name)!r}")
            else:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.as_dict(),)


M = TypeVar("M", bound=Message)


def encoded(value: Any) -> Any:
    """For ``json.dumps``: what is no JSON by itself."""
    if isinstance(value, Message):
        return value.as_dict()
    if isinstance(value, datetime):
        return TIMESTAMP.encode(value)
    if isinstance(value, timedelta):
        return DURATION.encode(value)
    raise TypeError(f"{type(value).__name__} cannot be sent")
