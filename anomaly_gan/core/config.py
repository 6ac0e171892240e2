"""Reading configurations: YAML + named preset + ``--set key=value`` → frozen, checked sections."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from .errors import ConfigError
from .files import write_text
from .renamed import FILES, GONE, KEYS, WORDS, newest, with_new_keys
from .resources import shipped

PLACE = "place"
Place = Annotated[str, PLACE]
"""Where files of the user's lie. Keys and ``config.yaml`` name an absolute one by its last part: what lies there
counts, by its hash among the inputs, and not where."""
CUT = "…/"
PLACES = Path("logs", "places.yaml")
"""What was cut in a stage's ``config.yaml``."""


class Config(BaseModel):
    """Base of all configuration sections: immutable, unknown keys refused, checked at construction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def keyed(self) -> dict[str, object]:
        """What keys hash of a configuration: the values that are not defaults, as JSON.

        So a new field with a default changes no key. A default that changes would, in silence: whoever changes one
        raises ``core.stage.SCHEMA``, which changes every key (``make defaults`` holds to that).
        """
        return without_places(self, self.model_dump(mode="json", exclude_defaults=True))[0]

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, values: Any) -> Any:
        """``normal: good`` and ``normal: good,ok`` where a list is wanted: a list of one, and of two.

        Constants of the section, which were options in older files, may stand there with the value that they have.
        """
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        fixed = {name: getattr(cls, name) for name in cls.__class_vars__}
        for kind in cls.__mro__:
            fixed |= GONE.get(kind.__name__, {})
        return {
            name: _as_list(value, fields[name].annotation) if name in fields else value
            for name, value in cls.renamed(values).items()
            if not (name in fixed and _is_fixed_at(fixed[name], name, value))
        }

    @classmethod
    def renamed(cls, values: Mapping[str, Any]) -> dict[str, object]:
        """``values`` with today's keys and words where older ones stand (``core.renamed``)."""
        result = dict(values)
        for name in (kind.__name__ for kind in cls.__mro__):
            result = with_new_keys(result, KEYS[name], "the key") if name in KEYS else result
            for key, words in WORDS.get(name, {}).items():
                value = result.get(key)
                if isinstance(value, str):
                    result[key] = newest(value, words, f"{key}:")
                elif isinstance(value, list | tuple):
                    result[key] = [newest(one, words, f"{key}:") if isinstance(one, str) else one for one in value]
        return result


def without_places(config: Config, dumped: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """``dumped`` with absolute places cut to their last part, and the places that were cut, nested as they stood."""
    shown: dict[str, object] = dict(dumped)
    cut: dict[str, object] = {}
    for name, value in dumped.items():
        inner = getattr(config, name, None)
        if isinstance(inner, Config) and isinstance(value, dict):
            shown[name], below = without_places(inner, value)
            cut |= {name: below} if below else {}
        elif isinstance(value, str) and _is_place(type(config), name) and PurePath(value).is_absolute():
            shown[name], cut[name] = CUT + PurePath(value).name, value
    return shown, cut


def _is_place(kind: type[Config], name: str) -> bool:
    field = kind.model_fields[name]
    return PLACE in field.metadata or any(
        PLACE in getattr(part, "__metadata__", ()) for part in get_args(field.annotation)
    )


Section = TypeVar("Section", bound=Config)
Row = TypeVar("Row")


def _is_fixed_at(fixed: Any, name: str, value: Any) -> bool:
    """Raises ValueError where the value is another than the constant's."""
    if value == fixed or (isinstance(fixed, tuple) and isinstance(value, list) and tuple(value) == fixed):
        return True
    raise ValueError(f"{name} is no option any more: it is fixed at {fixed}")


def _parts(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        for part in get_args(annotation)[: 1 if get_origin(annotation) is Annotated else None]:
            yield from _parts(part)
    else:
        yield annotation


def kinds_of(annotation: Any) -> set[Any]:
    """The types that a field may have, without what stands in brackets behind them."""
    return {get_origin(part) or part for part in _parts(annotation)}


def _as_list(value: Any, annotation: Any) -> Any:
    """``value``, or a list of it where the field holds lists; text with commas is taken apart, unless text may stand
    there as well."""
    if not isinstance(value, str | int | float):
        return value
    kinds = kinds_of(annotation) - {types.NoneType}
    others = kinds - {list, tuple}
    if others == kinds or str in kinds or (others and not (isinstance(value, str) and "," in value)):
        return value
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else [value]


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping from ``path``.

    Raises:
        ConfigError: no such file, not YAML, or not a mapping.
    """
    if path.name in FILES and not path.exists():
        path = path.with_name(newest(path.name, FILES, "the file"))
    try:
        content = yaml.safe_load(shipped(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        ours = "those of the package: anomaly_gan/configs/NAME.yaml"
        raise ConfigError(f"{path}: no such configuration file; {ours}") from error
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be a mapping of sections")
    return content


def apply_settings(content: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """``content`` with every ``a.b=value`` applied (values are YAML)."""
    result = merge({}, content)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {setting}: must read key=value, for example train.steps=200")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {setting}: the value is not YAML") from error
        *parents, leaf = key.strip().split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {setting}: {parent} is a value, not a section")
        place[leaf] = parsed
    return result


def choose_preset(content: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Lay ``presets[preset]`` over the file's own values, then ``--set`` over both.

    A file without ``presets`` is a resolved one (``run.yaml``): its preset was laid already.
    """
    if "presets" not in content:
        return apply_settings(content, settings)
    chosen = apply_settings(
        {"preset": content.get("preset", "default")}, [s for s in settings if s.partition("=")[0].strip() == "preset"]
    )["preset"]
    presets = {"default": {}, **(content.get("presets") or {})}
    if chosen not in presets:
        raise ConfigError(f"preset: no preset {chosen!r}{nearest(str(chosen), presets)}")
    base = {key: value for key, value in content.items() if key != "presets"}
    return apply_settings(merge(base, presets[chosen] or {}), settings)


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of ``base`` with ``over`` laid on top."""
    result = {key: merge(value, {}) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return result


def build(kind: type[Section], content: dict[str, Any], where: str) -> Section:
    """Construct a section, turning every complaint into one line that names the field.

    Raises:
        ConfigError: ``where: field: reason`` (several are joined by ``; ``).
    """
    try:
        return kind(**content)
    except ValidationError as error:
        raise ConfigError(f"{where}: " + "; ".join(_complaint(kind, item) for item in error.errors())) from error


def _complaint(kind: type[BaseModel], item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return f"{place}: {item['msg']}"
    owner: Any = kind
    for part in item["loc"][:-1]:
        owner = owner.model_fields[part].annotation if part in getattr(owner, "model_fields", {}) else None
    return f"{place}: unknown key{nearest(str(item['loc'][-1]), getattr(owner, 'model_fields', {}))}"


def nearest(name: str, known: Any) -> str:
    """`` (did you mean X?)``, or the list of what is known where nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (known: {', '.join(map(str, known))})" if known else ""


def row_of(table: Mapping[str, Row], name: str, where: str, what: str) -> Row:
    """The row of a table of that name.

    Raises:
        ConfigError: ``where`` names no such ``what``; the nearest name is offered.
    """
    if name not in table:
        raise ConfigError(f"{where}: no {what} {name!r}{nearest(name, table)}")
    return table[name]


def dump_yaml(config: Config | Mapping[str, object]) -> str:
    """The resolved configuration as YAML."""
    content = config.model_dump(mode="json") if isinstance(config, Config) else dict(config)
    return yaml.safe_dump(content, sort_keys=True, allow_unicode=True)


def keep_config(config: Config, folder: Path) -> None:
    """Write ``config.yaml`` of a stage; what it shows cut stands whole in ``logs/places.yaml``, which is no product."""
    shown, cut = without_places(config, config.model_dump(mode="json"))
    write_text(folder / "config.yaml", dump_yaml(shown))
    if cut:
        write_text(folder / PLACES, dump_yaml(cut))


def kept_config(folder: Path) -> dict[str, Any]:
    """The configuration of a stage's folder, with its places whole; empty where there is none.

    Raises:
        ConfigError: it is not readable.
    """
    if not (folder / "config.yaml").is_file():
        return {}
    content = read_yaml(folder / "config.yaml")
    return merge(content, read_yaml(folder / PLACES)) if (folder / PLACES).is_file() else content
