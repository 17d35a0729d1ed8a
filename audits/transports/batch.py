r"""All shell questions of a host as one script, and the reading of what comes back. Pure: no process, no network.

The script is POSIX sh (dash, bash, busybox), writes nothing on the host, and starts no process of its own for a
question: it runs each in a subshell and prints a frame behind it, on both streams, with shell builtins. Time and size
limits are kept by the side that listens (`conversation`), which stops a question that overruns and asks the rest
anew; a `timeout` around the whole script ends it should we be gone.

A stream is: noise (a motd, a chatty .bashrc), the opening `TOKEN MARK GROUP\n`, then for each question its output as
it came, and a frame, `MARK INDEX STATUS\n` on stdout and `MARK INDEX\n` on stderr. TOKEN comes from us and stands on
the command line, where every user of the host could read it in time to forge a frame; so MARK is made on the host, by
its kernel, and is seen by nobody but us. GROUP is the process group to kill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from checks.questions import Shell, quote

ARGUMENT_LIMIT = 100_000
"""Longest script that goes as an argument, in bytes. Linux takes 131,072 for one argument (MAX_ARG_STRLEN)."""

NOISE_LIMIT = 256 * 1024
"""Most bytes that may come before the opening."""

STDERR_KEPT = 2048
"""How much of the end of stderr is kept, in bytes."""

AHEAD_LIMIT = 16 * 1024 * 1024
"""How far stdout may run ahead of stderr, in bytes."""

FOOTER_LIMIT = 100  # longest rest of a frame's line; index and status are short

NO_SUDO, NO_BUILTIN = "nosudo", "nobuiltin"
"""Words in the place of a status: why a question for root was not asked."""


@dataclass(frozen=True, slots=True)
class Become:
    """How an account becomes root for a question that needs it; nothing of it counts when it is root already.

    Without a password `sudo -n` is tried, also where the inventory says nothing of become: audit accounts often have
    an allow-list in sudoers. The password goes over stdin, into a shell variable that is not exported.
    """

    exe: str = "sudo"
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.password is not None and ("\n" in self.password or "\0" in self.password):
            raise ValueError("the become password holds a line end or a NUL character")


@dataclass(frozen=True, slots=True)
class Script:
    """A batch ready to be started: a command line that any login shell takes, and what to send on stdin."""

    command: str
    stdin: bytes = field(default=b"", repr=False)


# The token is followed by no blank here: a login shell that shows its command line does not open the batch.
# LC_ALL=C: checkers read numbers and keys, never localised text. PATH: sbin is missing for most accounts.
_HEAD = """keuring() {{
{stop}LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${{PATH:+:$PATH}}
export LC_ALL PATH
cd /
K={token}
{{ read -r T </proc/sys/kernel/random/uuid; }} 2>/dev/null || T=$K-
{{ read -r _ _ _ _ G _ </proc/self/stat; }} 2>/dev/null || G=0
printf '%s %s %s\\n' "$K" "$T" "$G"
printf '%s %s %s\\n' "$K" "$T" "$G" >&2
f() {{ printf '%s %s %s\\n' "$T" "$1" "$2"; printf '%s %s\\n' "$T" "$1" >&2; }}
"""

# Politely first: sudo hands that on to what it runs as root, which we may not kill. The trap: this script may be
# stopped in its turn before the second has passed.
_STOP = """kill -TERM -{group} 2>/dev/null
(trap '' TERM; sleep 1; kill -KILL -{group}) </dev/null >/dev/null 2>&1 &
"""

_ROOT = """R=sudo E={exe}
if [ "$(id -u)" = 0 ]; then R=root
elif ! command -v "$E" >/dev/null 2>&1; then R={no_sudo}
fi
"""

# An external printf would show the password in the process list. sudo -k: ask always, so that the password is read
# from stdin by sudo and never left to the command.
_ASKING = """if [ "$R" = sudo ]; then
case $(command -v printf) in
/*) R={no_builtin} ;;
*) R=password ;;
esac
fi
"""

_AS_ROOT = """s() {
case $R in
root) (eval "$2") </dev/null; f "$1" $? ;;
sudo) (eval "exec \\"\\$E\\" -n -- $2") </dev/null; f "$1" $? ;;
password) printf '%s\\n' "$P" | (eval "exec \\"\\$E\\" -k -S -p '' -- $2"); f "$1" $? ;;
*) f "$1" "$R" ;;
esac
}
"""


MOST_BESIDE = 16
"""How many questions that wait run at the same time."""

# A pipe holds the answer of a question that waits (its left side) until those on its right side have been given.
_BESIDE = """L='
'
w() { W=$(cat); printf '%s' "${W%"$L"*}"; f "$1" "${W##*"$L"}"; }
"""


def compose(
    questions: Iterable[tuple[int, Shell]], *, token: str, become: Become, seconds: float, stray: int = 0
) -> Script:
    """Make the script that asks these questions, each with its index.

    `token`: letters and digits that nobody can guess. `seconds`: when the host ends it all, should we be gone.
    `stray`: the process group of a script that had to be left behind, to be stopped.
    """
    asked = list(questions)
    # stopped first, for we may not listen to the end
    parts = [_HEAD.format(token=token, stop=_STOP.format(group=stray) if stray > 1 else "")]
    password = become.password if any(q.root for _, q in asked) else None
    if any(q.root for _, q in asked):
        parts.append(_ROOT.format(exe=quote(become.exe), no_sudo=NO_SUDO))
        if password is not None:
            parts.append(_ASKING.format(no_builtin=NO_BUILTIN))
        parts.append(_AS_ROOT)
    patient = [(index, question) for index, question in asked if question.patient and not question.root]
    # `eval` of a quoted word: an error of syntax in one question is that question's alone
    block = "".join(
        f"s {index} {quote(question.command)}\n"
        if question.root
        else f"(eval {quote(question.command)}) </dev/null; f {index} $?\n"
        for index, question in asked
        if (index, question) not in patient
    )
    if patient:
        parts.append(_BESIDE)
    for start in range(0, len(patient), MOST_BESIDE):
        for index, question in patient[start : start + MOST_BESIDE]:
            run = f"{{ (eval {quote(question.command)}) </dev/null 2>&1; printf '\\n%s' $?; }}"
            block = f"{run} | {{\n{block}w {index}\n}}\n"
        parts.append(block)
        block = ""
    parts.append(block)
    parts.append("}\nkeuring\n")  # defined whole, then called: half a script that came through runs nothing
    return _carry("".join(parts), password, seconds)


def _carry(script: str, password: str | None, seconds: float) -> Script:
    """Put a script on a command line, or on stdin when it is too long; the password's line on stdin before it."""
    sent = b"" if password is None else password.encode() + b"\n"
    read = "" if password is None else "IFS= read -r P\n"
    guard = f"command -v timeout >/dev/null 2>&1 && exec timeout -s KILL {int(seconds)} sh -c"
    encoded = _encode(read + script)
    if len(encoded.encode()) <= ARGUMENT_LIMIT:
        return Script(f"""sh -c 'S=$(printf "$1"); {guard} "$S" keuring; eval "$S"' keuring '{encoded}'""", sent)
    load = _encode(f'{read}eval "$(cat)"\n')
    return Script(
        f"""sh -c 'S=$(printf "$1"); {guard} "$S" keuring; eval "$S"' keuring '{load}'""", sent + script.encode()
    )


_ESCAPES = str.maketrans({"\\": r"\134", "%": "%%", "'": r"\047", "!": r"\041", "\n": r"\012"})


def _encode(text: str) -> str:
    r"""Write text as a printf format that stands between single quotes in every login shell.

    fish takes `\\` and `\'` in single quotes for escapes, csh `!` and line ends; none minds a `\` before a digit.
    """
    return text.translate(_ESCAPES)


class Garbled(ValueError):
    """What comes back is not what the script prints."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One question's outcome: its exit status (or a word), all of stdout, the end of stderr."""

    index: int
    status: str
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)


class _Stream:
    """Cuts one stream at its marks, keeping at most `kept` bytes of a piece."""

    def __init__(self, token: str) -> None:
        self._mark = token.encode() + b" "
        self._buffer = bytearray()
        self._searched = 0  # no mark starts before this offset
        self._dropped = 0  # bytes of this piece that were let go
        self.opening: list[str] | None = None

    @property
    def size(self) -> int:
        """Bytes of the piece so far; may count a frame that is not whole yet."""
        return self._dropped + len(self._buffer)

    @property
    def text(self) -> bytes:
        """What is there of the piece."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> Iterator[tuple[bytes, list[str]]]:
        """Take bytes; give each piece that is complete and the words behind its mark."""
        self._buffer += data
        while True:
            start = self._buffer.find(self._mark, self._searched)
            if start < 0:
                self._searched = max(0, len(self._buffer) - len(self._mark) + 1)
                return
            self._searched = start
            after = start + len(self._mark)
            end = self._buffer.find(b"\n", after, after + FOOTER_LIMIT)
            if end < 0:
                if len(self._buffer) - after >= FOOTER_LIMIT:
                    raise Garbled("a frame without an end")
                return
            words = self._buffer[after:end].decode("ascii", "replace").split()
            piece = bytes(self._buffer[:start])
            del self._buffer[: end + 1]
            self._searched = self._dropped = 0
            if self.opening is None:
                if len(words) != 2 or not words[1].isdecimal():  # noqa: PLR2004 - mark and group
                    raise Garbled("an opening that is none")
                self.opening = words
                self._mark = words[0].encode() + b" "
            else:
                yield piece, words

    def trim(self, kept: int) -> None:
        """Let go of all but the last `kept` bytes, and of what may be a mark."""
        spare = len(self._buffer) - kept - len(self._mark) - FOOTER_LIMIT
        if spare > 0:
            del self._buffer[:spare]
            self._dropped += spare
            self._searched = max(0, self._searched - spare)


class Framed:
    """Reads both streams of a batch as they come, in any chunks, and gives each frame when it is complete.

    `count`: how many frames there can be.
    """

    def __init__(self, token: str, count: int) -> None:
        self._count = count
        self._out, self._err = _Stream(token), _Stream(token)
        self._outs: list[tuple[bytes, list[str]]] = []
        self._errs: list[tuple[bytes, list[str]]] = []

    @property
    def open(self) -> bool:
        """Whether the script has begun to speak."""
        return self._out.opening is not None

    @property
    def group(self) -> int:
        """The script's process group on the host; 0 when it is not known."""
        return int(self._out.opening[1]) if self._out.opening else 0

    @property
    def noise(self) -> str:
        """What came before the opening, for a message."""
        return (self._err.text or self._out.text)[:NOISE_LIMIT].decode("utf-8", "replace")

    def over(self, limit: int) -> bool:
        """Tell whether the question that runs has printed more than `limit` bytes on either stream."""
        slack = 2 * FOOTER_LIMIT  # a frame that is not whole yet
        if self._outs:  # its stdout is complete, and what is there belongs to the next
            return self._out.size > max(limit, AHEAD_LIMIT) or self._err.size > limit + slack
        return max(self._out.size, self._err.size) > limit + slack

    def feed(self, stream: int, data: bytes) -> Iterator[Frame]:
        """Take bytes of stdout (1) or stderr (2); Garbled when they cannot be the script's."""
        if stream == 1:
            self._outs += self._out.feed(data)
        else:
            self._errs += ((piece[-STDERR_KEPT:], words) for piece, words in self._err.feed(data))
            self._err.trim(STDERR_KEPT)
        if max(len(self._outs), len(self._errs)) > self._count:
            raise Garbled("more frames than questions")
        while self._outs and self._errs:
            self._count -= 1
            (stdout, words), (stderr, named) = self._outs.pop(0), self._errs.pop(0)
            if len(words) != 2 or not words[0].isdecimal() or named != words[:1]:  # noqa: PLR2004 - index and status
                raise Garbled("a frame that is none")
            yield Frame(int(words[0]), words[1], stdout, stderr)
