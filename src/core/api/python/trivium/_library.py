"""libtrivium.so by ctypes: the structs and functions of trivium_c.h, and what its codes become."""

import ctypes
import os
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Sequence

USAGE, BAD_DATA = 2, 65  # exit codes, of core/base/error.h


class TriviumError(RuntimeError):
    """What the caller can mend: one line that says what is wrong, where, and what to do.

    `code` is as the program's exit codes: 2 wrong usage, 65 text that is none, 66 no such checkpoint or
    task, 76 a bad checkpoint, 1 a bug in trivium.
    """

    code: int

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


class Text(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]

    def __str__(self) -> str:
        # A path in a message may have any bytes.
        return ctypes.string_at(self.data, self.size).decode("utf-8", "replace")


class LoadSettings(ctypes.Structure):
    _fields_ = [("threads", c_int32), ("precision", c_int32)]


class AnswerSettings(ctypes.Structure):
    _fields_ = [("num_beams", c_int32), ("max_length", c_int32), ("sample", c_int32),
                ("top_k", c_int32), ("temperature", c_double), ("top_p", c_double),
                ("seed", c_uint64)]


class AnswerView(ctypes.Structure):
    _fields_ = [("text", Text), ("task", Text), ("score", c_double), ("finished", c_int32),
                ("truncated", c_int32), ("fits", c_int32)]


class Layer(ctypes.Structure):
    _fields_ = [("weights", POINTER(c_float)), ("num_experts", c_size_t)]


class RouteView(ctypes.Structure):
    _fields_ = [("task", Text), ("encoder", POINTER(Layer)), ("decoder", POINTER(Layer)),
                ("encoder_layers", c_size_t), ("decoder_layers", c_size_t)]


class Texts:
    """Byte strings as an array of trivium_text, which is valid as long as this object."""

    def __init__(self, texts: Sequence[bytes]):
        self._bytes = list(texts)
        self.array = (Text * len(self._bytes))()
        for text, data in zip(self.array, self._bytes):
            text.data, text.size = ctypes.cast(c_char_p(data), c_void_p).value, len(data)

    def __len__(self) -> int:
        return len(self._bytes)


_FUNCTIONS = {
    "trivium_load": [Text, POINTER(LoadSettings), POINTER(c_void_p)],
    "trivium_tasks": [c_void_p, POINTER(POINTER(Text)), POINTER(c_size_t)],
    "trivium_generate": [c_void_p, POINTER(Text), c_size_t, Text, POINTER(AnswerSettings),
                         POINTER(POINTER(AnswerView))],
    "trivium_score": [c_void_p, Text, POINTER(Text), c_size_t, Text, POINTER(POINTER(c_double))],
    "trivium_route_of_task": [c_void_p, Text, POINTER(POINTER(RouteView))],
    "trivium_route_of_prompt": [c_void_p, Text, POINTER(POINTER(RouteView))],
    "trivium_embed": [c_void_p, POINTER(Text), c_size_t, Text, POINTER(POINTER(c_float)),
                      POINTER(c_size_t)],
}


def _open() -> ctypes.CDLL:
    # A program under development has its library elsewhere.
    path = os.environ.get("TRIVIUM_LIBRARY") or str(Path(__file__).with_name("libtrivium.so"))
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"trivium's library cannot be loaded: {error}; install the wheel that "
                          "tools/make_wheel makes, or set TRIVIUM_LIBRARY to a libtrivium.so"
                          ) from error
    for name, arguments in _FUNCTIONS.items():
        getattr(library, name).argtypes = arguments
        getattr(library, name).restype = c_int
    library.trivium_free.argtypes = [c_void_p]
    library.trivium_free.restype = None
    library.trivium_error_message.argtypes = []
    library.trivium_error_message.restype = c_char_p
    return library


library = _open()


def call(name: str, *arguments) -> None:
    """Calls a function of trivium_c.h, without the GIL. TriviumError where its code is not 0."""
    code = getattr(library, name)(*arguments)
    if code != 0:
        # The message is this thread's own.
        raise TriviumError(library.trivium_error_message().decode("utf-8", "replace"), code)
