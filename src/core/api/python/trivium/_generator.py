"""A checkpoint that answers: trivium.h in Python, with numpy arrays."""

import ctypes
import operator
import os
import threading
import weakref
from ctypes import POINTER, byref, c_double, c_float, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Iterable, List, Literal, Optional, Union

import numpy as np

from trivium import _library
from trivium._library import BAD_DATA, USAGE, Texts, TriviumError, call

_PRECISIONS = {"float32": 0, "bfloat16": 1, "int8": 2}


@dataclass(frozen=True)
class Answer:
    """What a prompt was answered."""

    text: str
    task: str  # whose route it took; "" where the checkpoint knows no tasks
    score: float  # log-probability (natural; with beams divided by the length penalty)
    finished: bool  # ended by itself, not cut at the maximal length
    truncated: bool  # the prompt was longer than the model's input, and was cut
    fits: bool  # False: no known task is like the prompt, and the answer says little


@dataclass(frozen=True)
class Route:
    """Weights over the experts of each layer, each layer's with the sum 1.

    `encoder` and `decoder` are float32 [layers, experts]. An ordinary layer has one weight, 1. Where a
    layer has fewer experts than the widest of its stack, the rest of its row is NaN.
    """

    task: str  # "" where the checkpoint knows no tasks
    encoder: np.ndarray
    decoder: np.ndarray


class Generator:
    """A checkpoint that is ready to answer; `Generator.load` makes one.

    Calls from several threads wait for each other; several generators work side by side. While one
    computes, other Python threads run, and Ctrl-C is heard at its end. A process that was forked off
    cannot use it, and loads its own.
    """

    def __init__(self, handle: c_void_p):
        self._handle = handle
        self._lock = threading.Lock()
        self._pid = os.getpid()
        # Not at exit: another thread may be computing with it then.
        weakref.finalize(self, _free, handle, self._pid).atexit = False

    @classmethod
    def load(cls, path: Union[str, bytes, os.PathLike] = "", *, threads: int = 0,
             precision: Literal["float32", "bfloat16", "int8"] = "float32") -> "Generator":
        """The checkpoint in the folder `path`.

        "" stands for the one that trivium ships: checkpoints/trivium-small of the folder that the
        environment's TRIVIUM_HOME names, or else of an installed trivium around this package. `threads`
        0 is one a core; `precision` is what the weights are kept in for computing. TriviumError: 2 for
        settings that cannot be, 66 where there is no checkpoint, 76 where it is damaged.
        """
        if precision not in _PRECISIONS:
            raise TriviumError(f"precision is {precision!r}, not one of {', '.join(_PRECISIONS)}",
                               USAGE)
        settings = _library.LoadSettings(_whole("threads", threads, 31), _PRECISIONS[precision])
        folder = Texts([os.fsencode(path)])
        handle = c_void_p()
        call("trivium_load", folder.array[0], byref(settings), byref(handle))
        return cls(handle)

    @property
    def tasks(self) -> List[str]:
        """The names of the tasks that the checkpoint knows."""
        names, count = POINTER(_library.Text)(), c_size_t()
        with self._lock:
            self._call("trivium_tasks", byref(names), byref(count))
            return [str(name) for name in names[:count.value]]

    def generate(self, prompts: Iterable[str], task: Optional[str] = None, *,
                 num_beams: Optional[int] = None, max_length: Optional[int] = None,
                 sample: bool = False, temperature: float = 1.0, top_k: int = 0,
                 top_p: float = 1.0, seed: int = 0) -> List[Answer]:
        """An answer for each of `prompts` (a list, an array, a column), in order.

        `task` is whose route and template they take; None: each prompt's nearest known task. None for
        `num_beams` and `max_length` (in tokens) is what the checkpoint asks for. With `sample` tokens
        are drawn, by `temperature`, from the `top_k` likeliest (0: all) and from those that make up
        `top_p` of the probability; the same `seed` draws the same. TriviumError: 2 for settings that
        cannot be, 65 for a str that is not Unicode text, 66 for an unknown task.
        """
        settings = _library.AnswerSettings(
            _whole("num_beams", num_beams or 0, 31), _whole("max_length", max_length or 0, 31),
            bool(sample), _whole("top_k", top_k, 31), temperature, top_p, _whole("seed", seed, 64))
        texts, name = _texts("prompts", prompts), _text("task", task or "")
        answers = POINTER(_library.AnswerView)()
        with self._lock:
            self._call("trivium_generate", texts.array, len(texts), name.array[0], byref(settings),
                       byref(answers))
            return [Answer(str(a.text), str(a.task), a.score, bool(a.finished), bool(a.truncated),
                           bool(a.fits)) for a in answers[:len(texts)]]

    def score(self, prompt: str, options: Iterable[str], task: Optional[str] = None) -> np.ndarray:
        """The log-probability (natural) of each option as the answer: float64 [options].

        `options` are one at least. `task` and errors as those of `generate`.
        """
        text, name = _text("prompt", prompt), _text("task", task or "")
        answers = _texts("options", options)
        scores = POINTER(c_double)()
        with self._lock:
            self._call("trivium_score", text.array[0], answers.array, len(answers), name.array[0],
                       byref(scores))
            return _array(scores, (len(answers),))

    def route(self, task: Optional[str] = None, *, prompt: Optional[str] = None) -> Route:
        """The route of `task`, or the one that `prompt` would take; one of the two is given.

        Errors as those of `generate`.
        """
        if task is not None and prompt is None:
            function, text = "trivium_route_of_task", _text("task", task)
        elif prompt is not None and task is None:
            function, text = "trivium_route_of_prompt", _text("prompt", prompt)
        else:
            raise TriviumError("route() takes either a task or a prompt", USAGE)
        route = POINTER(_library.RouteView)()
        with self._lock:
            self._call(function, text.array[0], byref(route))
            view = route.contents
            return Route(str(view.task), _stack(view.encoder[:view.encoder_layers]),
                         _stack(view.decoder[:view.decoder_layers]))

    def embed(self, texts: Iterable[str], task: Optional[str] = None) -> np.ndarray:
        """The vector of each text, of length 1: float32 [texts, d_model] ([0, 0] for no texts).

        It is the mean of the encoder's output over the text's tokens. Two texts are alike as far as the
        product of their vectors is near 1. The text is read as it is, without a template; `task` is
        whose route it takes, and None the route of a prompt without a task. Errors as those of
        `generate`.
        """
        rows, name = _texts("texts", texts), _text("task", task or "")
        vectors, width = POINTER(c_float)(), c_size_t()
        with self._lock:
            self._call("trivium_embed", rows.array, len(rows), name.array[0], byref(vectors),
                       byref(width))
            return _array(vectors, (len(rows), width.value))

    def _call(self, name: str, *arguments) -> None:
        if os.getpid() != self._pid:
            raise TriviumError("a process that was forked off cannot use this generator, whose "
                               "threads stayed behind; load one in each process", USAGE)
        call(name, self._handle, *arguments)


def _free(handle: c_void_p, pid: int) -> None:
    if os.getpid() == pid:
        _library.library.trivium_free(handle)


def _whole(name: str, value: int, bits: int) -> int:
    """`value`, where so many bits hold it: ctypes would cut it in silence."""
    number = operator.index(value)
    if not 0 <= number < 2 ** bits:
        raise TriviumError(f"{name} is {number}, not between 0 and {2 ** bits - 1}", USAGE)
    return number


def _encoded(name: str, text: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"{name} is {type(text).__name__}, not str")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise TriviumError(f"{name} is not Unicode text: character {error.start + 1} is "
                           f"{text[error.start]!a}, half of a surrogate pair; mend how it was "
                           "decoded", BAD_DATA) from None


def _text(name: str, text: str) -> Texts:
    return Texts([_encoded(name, text)])


def _texts(name: str, texts: Iterable[str]) -> Texts:
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"{name} is one text, not a list of them; write [{name}]")
    return Texts([_encoded(f"{name}[{i}]", text) for i, text in enumerate(texts)])


def _array(pointer, shape) -> np.ndarray:
    """A copy, since the library's own is there until the next call."""
    if 0 in shape:
        return np.zeros(shape, dtype=pointer._type_)
    return np.ctypeslib.as_array(pointer, shape).copy()


def _stack(layers) -> np.ndarray:
    widest = max((layer.num_experts for layer in layers), default=0)
    stack = np.full((len(layers), widest), np.nan, dtype=np.float32)
    for row, layer in zip(stack, layers):
        row[:layer.num_experts] = layer.weights[:layer.num_experts]
    return stack
