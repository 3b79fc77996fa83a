"""``sympozium``: parse, do, and turn whatever happened into one line and an exit code."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import errno  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from typing import TextIO  # noqa: E402

import typer  # noqa: E402

from sympozium_cli.app import app  # noqa: E402

_USAGE = 10
_INTERNAL = 69
_INTERRUPTED = 50
ERROR = "error: "


def main() -> None:
    """The console script."""
    open_standard_streams()
    raise SystemExit(run(sys.argv[1:]))


def open_standard_streams() -> None:
    """A stream that was closed leads to nowhere: else the next file that is opened would take its number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            setattr(sys, name, os.fdopen(number, mode))


def run(arguments: list[str]) -> int:
    """Do what the command line says; the exit code (``sympozium_protocol.exits``)."""
    if bad := next((word for word in arguments if not _is_text(word)), None):
        return _fail(f"command line: {bad!a}: is not UTF-8", _USAGE)
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="sympozium", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        return _fail(f"command line: {_message(error)}", _USAGE)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", _INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough
        _forget(sys.stdout)
        return 0
    except Exception as error:  # noqa: BLE001  the top of a program: whatever it is becomes a typed reason
        return _failed(error)


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeError:
        return False
    return True


def _forget(stream: TextIO) -> None:
    """Nothing more to this stream, at the end of the interpreter neither."""
    from sympozium_cli.terminal import lead_nowhere

    lead_nowhere(stream)


def _failed(error: Exception) -> int:
    from sympozium_protocol.exits import Ended, Reason
    from sympozium_protocol.files import FileFault
    from sympozium_protocol.process import reason_for

    if isinstance(error, Ended | FileFault):
        reason, message = reason_for(error)
        return _fail(message, int(reason), "" if reason is Reason.Suspended else ERROR)
    if isinstance(error, OSError):
        _forget(sys.stdout)
        reason = Reason.DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else Reason.StorageFailed
        return _fail(f"{error.filename or 'output'}: {(error.strerror or str(error)).lower()}", int(reason))
    import traceback

    traceback.print_exception(error)
    return _fail(f"{type(error).__name__}: {error}", _INTERNAL)


def _message(error: Exception) -> str:
    said = getattr(error, "format_message", lambda: str(error))()
    return str(said).replace("Value error, ", "")


def _fail(message: str, code: int, before: str = ERROR) -> int:
    """Says why it ends; a run that goes on without this command is none of its errors."""
    from sympozium_cli.terminal import visible

    try:
        sys.stderr.write(f"{before}{visible(message)}\n")
        sys.stderr.flush()
    except OSError:  # the terminal has gone: the exit code says it
        _forget(sys.stderr)
    return code


if __name__ == "__main__":
    main()
